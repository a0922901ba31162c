// From a file to mono samples at the rate of the model.
"use strict";

// The sample rate in the header of a file; null if it is not found, and the browser then resamples.
function headerRate(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const text = (start, length) => String.fromCharCode(...bytes.subarray(start, start + length));
  if (["RIFF", "RF64"].includes(text(0, 4)) && text(8, 4) === "WAVE") {
    for (let place = 12; place + 16 <= bytes.length; place += 8 + view.getUint32(place + 4, true) + (view.getUint32(place + 4, true) % 2)) {
      if (text(place, 4) === "fmt ") return view.getUint32(place + 12, true);
    }
    return null;
  }
  if (text(0, 4) === "fLaC") return (bytes[18] << 12) | (bytes[19] << 4) | (bytes[20] >> 4);
  if (text(0, 4) === "OggS") {
    const head = text(0, Math.min(bytes.length, 300));
    const vorbis = head.indexOf("\x01vorbis");
    if (vorbis >= 0) return view.getUint32(vorbis + 12, true);
    return head.includes("OpusHead") ? 48000 : null;
  }
  return mp3Rate(bytes);
}

// The sample rate of the first frame of an MP3.
function mp3Rate(bytes) {
  let place = 0;
  if (bytes[0] === 0x49 && bytes[1] === 0x44 && bytes[2] === 0x33) {
    place = 10 + ((bytes[6] << 21) | (bytes[7] << 14) | (bytes[8] << 7) | bytes[9]);
  }
  if (bytes[place] !== 0xff || (bytes[place + 1] & 0xe6) < 0xe2) return null;
  const rates = { 3: [44100, 48000, 32000], 2: [22050, 24000, 16000], 0: [11025, 12000, 8000] };
  return rates[(bytes[place + 1] >> 3) & 3]?.[(bytes[place + 2] >> 2) & 3] ?? null;
}

// Decodes a file to mono samples at the rate of the model.
async function decoded(buffer) {
  let context;
  try {
    context = new OfflineAudioContext(1, 1, headerRate(buffer) ?? MODEL.sample_rate);
  } catch {
    context = new OfflineAudioContext(1, 1, MODEL.sample_rate);
  }
  const audio = await context.decodeAudioData(buffer);
  const channels = Array.from({ length: audio.numberOfChannels }, (_, c) => audio.getChannelData(c));
  const wave = resampled(mono(channels), audio.sampleRate, MODEL.sample_rate);
  if (wave.length === 0) throw new Error("no samples");
  return wave;
}

function mono(channels) {
  if (channels.length === 1 || MODEL.mono === "left") return channels[0];
  if (MODEL.mono === "loudest") {
    const powers = channels.map((channel) => channel.reduce((sum, value) => sum + value * value, 0));
    return channels[powers.indexOf(Math.max(...powers))];
  }
  const mixed = new Float32Array(channels[0].length);
  for (const channel of channels) channel.forEach((value, n) => (mixed[n] += value));
  return mixed.map((value) => value / channels.length);
}

// Band-limited resampling with a Kaiser-windowed sinc: 120 dB, passband up to 0.913 of the lower Nyquist frequency.
function resampled(wave, rate, wanted) {
  if (rate === wanted) return wave;
  const divisor = gcd(rate, wanted);
  const [up, down] = [wanted / divisor, rate / divisor];
  const length = Math.floor((wave.length * wanted) / rate + 0.5);
  const kernel = sincKernel(Math.min(1, wanted / rate), Math.min(up, 4096));
  const result = new Float32Array(length);
  for (let n = 0; n < length; n++) {
    const position = (n * down) / up;
    let start = Math.floor(position);
    let phase = Math.round((position - start) * kernel.phases);
    if (phase === kernel.phases) [phase, start] = [0, start + 1];
    const taps = kernel.rows[phase];
    const first = start - kernel.half + 1;
    let sum = 0;
    const from = Math.max(0, -first);
    const to = Math.min(taps.length, wave.length - first);
    for (let t = from; t < to; t++) sum += taps[t] * wave[first + t];
    result[n] = sum;
  }
  return result;
}

const kernels = new Map();

// For each phase, the weights of the samples from `half` - 1 before a position to `half` after it.
function sincKernel(band, phases) {
  const key = `${band} ${phases}`;
  if (!kernels.has(key)) kernels.set(key, newSincKernel(band, phases));
  return kernels.get(key);
}

function newSincKernel(band, phases) {
  const [cutoff, beta] = [0.9565 * band, 12.27];
  const scale = bessel(beta);
  const half = Math.ceil(90 / band);
  const rows = Array.from({ length: phases }, (_, phase) => {
    const taps = new Float64Array(2 * half);
    for (let t = 0; t < taps.length; t++) {
      const x = t - half + 1 - phase / phases;
      const u = x / half;
      if (Math.abs(u) > 1) continue;
      const sinc = x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x);
      taps[t] = (sinc * bessel(beta * Math.sqrt(1 - u * u))) / scale;
    }
    return taps;
  });
  return { phases, half, rows };
}

// The modified Bessel function of order 0.
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
}
