// Spectrograms on a canvas: mel-spaced frequencies, levels in decibels.
"use strict";

const FFT = 1024;
const COLOURS = [
  [0, 0, 4], [20, 14, 54], [59, 15, 112], [100, 26, 128], [140, 41, 129], [183, 55, 121],
  [222, 73, 104], [247, 112, 92], [254, 159, 109], [254, 207, 146], [252, 253, 191],
];
const HANN = Float64Array.from({ length: FFT }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / FFT));

// Powers of the bins 0 to FFT / 2 of a frame.
function powers(wave, start) {
  const [re, im] = [new Float64Array(FFT), new Float64Array(FFT)];
  for (let n = 0, reversed = 0; n < FFT; n++) {
    re[reversed] = HANN[n] * (wave[start + n] ?? 0);
    let bit = FFT >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed |= bit;
  }
  for (let size = 2; size <= FFT; size *= 2) {
    for (let k = 0; k < size / 2; k++) {
      const [c, s] = [Math.cos((2 * Math.PI * k) / size), -Math.sin((2 * Math.PI * k) / size)];
      for (let a = k; a < FFT; a += size) {
        const b = a + size / 2;
        const [x, y] = [re[b] * c - im[b] * s, re[b] * s + im[b] * c];
        [re[b], im[b]] = [re[a] - x, im[a] - y];
        re[a] += x;
        im[a] += y;
      }
    }
  }
  return Float64Array.from({ length: FFT / 2 + 1 }, (_, k) => re[k] * re[k] + im[k] * im[k]);
}

const toMel = (hz) => 2595 * Math.log10(1 + hz / 700);
const fromMel = (mel) => 700 * (10 ** (mel / 2595) - 1);

// Level in dB of each of `rows` bands, from the highest to the lowest.
function column(wave, start, rate, rows) {
  const power = powers(wave, start);
  const top = toMel(rate / 2);
  return Float64Array.from({ length: rows }, (_, row) => {
    const [low, high] = [fromMel((top * (rows - row - 1)) / rows), fromMel((top * (rows - row)) / rows)];
    const from = Math.floor((low * FFT) / rate);
    const to = Math.max(from + 1, Math.ceil((high * FFT) / rate));
    let most = 0;
    for (let k = from; k < to && k < power.length; k++) most = Math.max(most, power[k]);
    return 10 * Math.log10(most + 1e-10);
  });
}

function colour(share) {
  const place = Math.max(0, Math.min(1, share)) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[low].map((value, c) => value + (place - low) * (COLOURS[low + 1][c] - value));
}

// Draws a whole sound over the width of the canvas.
function drawSpectrogram(canvas, wave, rate) {
  const [width, height] = [canvas.width, canvas.height];
  const step = Math.max(1, (wave.length - FFT) / Math.max(1, width - 1));
  const columns = Array.from({ length: width }, (_, x) => column(wave, Math.max(0, Math.round(x * step)), rate, height));
  const highest = columns.reduce((most, levels) => levels.reduce((a, b) => Math.max(a, b), most), -Infinity);
  const image = new ImageData(width, height);
  columns.forEach((levels, x) => levels.forEach((level, y) => {
    image.data.set([...colour((level - highest + 80) / 80), 255], 4 * (y * width + x));
  }));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The height of a round frequency on the spectrogram, from the top, 0 to 1.
function heightOf(hz, rate) {
  return 1 - toMel(hz) / toMel(rate / 2);
}
