// Spectrograms on a canvas: mel-spaced frequencies, levels in decibels.
"use strict";

const FFT = 1024;
const COLOURS = [
  [0, 0, 4], [20, 14, 54], [59, 15, 112], [100, 26, 128], [140, 41, 129], [183, 55, 121],
  [222, 73, 104], [247, 112, 92], [254, 159, 109], [254, 207, 146], [252, 253, 191],
];
const HANN = Float64Array.from({ length: FFT }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / FFT));

const COS = Float64Array.from({ length: FFT / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / FFT));
const SIN = Float64Array.from({ length: FFT / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / FFT));
const real = new Float64Array(FFT);
const imaginary = new Float64Array(FFT);

// Powers of the bins 0 to FFT / 2 of a frame.
function powers(wave, start) {
  imaginary.fill(0);
  for (let n = 0, reversed = 0; n < FFT; n++) {
    real[reversed] = start + n < wave.length ? HANN[n] * wave[start + n] : 0;
    let bit = FFT >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed |= bit;
  }
  for (let size = 2; size <= FFT; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const c = COS[(k * FFT) / size];
      const s = SIN[(k * FFT) / size];
      for (let a = k; a < FFT; a += size) {
        const b = a + half;
        const x = real[b] * c - imaginary[b] * s;
        const y = real[b] * s + imaginary[b] * c;
        real[b] = real[a] - x;
        imaginary[b] = imaginary[a] - y;
        real[a] += x;
        imaginary[a] += y;
      }
    }
  }
  const power = new Float64Array(FFT / 2 + 1);
  for (let k = 0; k < power.length; k++) power[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
  return power;
}

const toMel = (hz) => 2595 * Math.log10(1 + hz / 700);
const fromMel = (mel) => 700 * (10 ** (mel / 2595) - 1);

const bands = new Map();

// First and last bin of each of `rows` bands, from the highest to the lowest.
function bandsOf(rate, rows) {
  const key = `${rate} ${rows}`;
  if (!bands.has(key)) {
    const hz = (row) => fromMel((toMel(rate / 2) * (rows - row)) / rows);
    const bins = Array.from({ length: rows }, (_, row) => {
      const from = Math.floor((hz(row + 1) * FFT) / rate);
      return [from, Math.min(FFT / 2 + 1, Math.max(from + 1, Math.ceil((hz(row) * FFT) / rate)))];
    });
    bands.set(key, bins);
  }
  return bands.get(key);
}

// Level in dB of each of `rows` bands of a frame.
function column(wave, start, rate, rows) {
  const power = powers(wave, start);
  return bandsOf(rate, rows).map(([from, to]) => {
    let most = 0;
    for (let k = from; k < to; k++) most = Math.max(most, power[k]);
    return 10 * Math.log10(most + 1e-10);
  });
}

// The colours of levels from lowest to highest, as four bytes each.
const PALETTE = Uint32Array.from({ length: 256 }, (_, level) => {
  const place = (level / 255) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(place), COLOURS.length - 2);
  const [r, g, b] = COLOURS[low].map((value, c) => Math.round(value + (place - low) * (COLOURS[low + 1][c] - value)));
  return new Uint32Array(Uint8Array.of(r, g, b, 255).buffer)[0];
});

// Paints columns of levels, which span 80 dB up to `highest`.
function painted(columns, highest) {
  const image = new ImageData(columns.length, columns[0].length);
  const pixels = new Uint32Array(image.data.buffer);
  columns.forEach((levels, x) => {
    for (let y = 0; y < levels.length; y++) {
      const share = Math.max(0, Math.min(1, (levels[y] - highest + 80) / 80));
      pixels[y * columns.length + x] = PALETTE[Math.round(255 * share)];
    }
  });
  return image;
}

// Draws a whole sound over the width of the canvas.
function drawSpectrogram(canvas, wave, rate) {
  const [width, height] = [canvas.width, canvas.height];
  const step = Math.max(1, (wave.length - FFT) / Math.max(1, width - 1));
  const columns = Array.from({ length: width }, (_, x) => column(wave, Math.max(0, Math.round(x * step)), rate, height));
  let highest = -Infinity;
  for (const levels of columns) for (const level of levels) highest = Math.max(highest, level);
  canvas.getContext("2d").putImageData(painted(columns, highest), 0, 0);
}

// The height of a round frequency on the spectrogram, from the top, 0 to 1.
function heightOf(hz, rate) {
  return 1 - toMel(hz) / toMel(rate / 2);
}
