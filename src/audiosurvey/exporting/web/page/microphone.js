// The microphone: the last seconds of sound, at the rate of the device.
"use strict";

const RECORDER = `registerProcessor("recorder", class extends AudioWorkletProcessor {
  constructor() { super(); this.parts = []; }
  process([channels]) {
    if (channels.length) this.parts.push(channels[0].slice());
    if (this.parts.length === 16) { this.port.postMessage(this.parts); this.parts = []; }
    return true;
  }
});`;

const microphone = {
  // Begins to record. `heard` is called with the newest samples, each time there are some.
  async start(seconds, heard) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("browsers allow the microphone only on https pages, on localhost, and from disk");
    }
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    this.context = new AudioContext();
    this.rate = this.context.sampleRate;
    this.last = new Float32Array(Math.round(seconds * this.rate));
    this.count = 0;
    // Of a page from disk, browsers load modules from data URLs, but not from blobs.
    await this.context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(RECORDER)}`);
    this.node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => {
      for (const part of data) {
        this.last.copyWithin(0, part.length);
        this.last.set(part, this.last.length - part.length);
        this.count += part.length;
        heard(part);
      }
    };
    this.context.createMediaStreamSource(this.stream).connect(this.node);
  },

  // What was recorded last, up to the length given at the start.
  recent() {
    return this.last.slice(Math.max(0, this.last.length - this.count));
  },

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.stream = this.context = null;
  },
};
