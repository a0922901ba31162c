// The network in a worker: `network.load()`, then `network.scores(window)`.
"use strict";

async function bytesOf(id) {
  const holder = document.getElementById(id);
  if (holder.dataset.file) {
    const response = await fetch(holder.dataset.file);
    if (!response.ok) throw new Error(`${holder.dataset.file}: ${response.status}`);
    return response.arrayBuffer();
  }
  const packed = await fetch(`data:application/octet-stream;base64,${holder.textContent.trim()}`);
  holder.remove();
  return new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

const network = {
  waiting: new Map(),
  count: 0,

  async load() {
    const script = [await bytesOf("runtime"), document.getElementById("worker").textContent];
    const url = URL.createObjectURL(new Blob([script[0], "\n", script[1]], { type: "text/javascript" }));
    this.worker = new Worker(url);
    this.worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.fault) reject(new Error(data.fault));
      else resolve(data);
    };
    const failed = new Promise((_, reject) => {
      this.worker.onerror = (event) => {
        const fault = new Error(event.message || "the browser does not start the network's worker");
        for (const { reject } of this.waiting.values()) reject(fault);
        this.waiting.clear();
        reject(fault);
      };
    });
    const [wasm, model] = [await bytesOf("wasm"), await bytesOf("model")];
    await Promise.race([failed, this.ask({ wasm, model }, [wasm, model])]);
  },

  // Calibrated scores of a window, and the milliseconds they took.
  scores(window) {
    return this.ask({ window }, [window.buffer]);
  },

  ask(data, transfer) {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...data }, transfer);
    });
  },
};
