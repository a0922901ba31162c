// From a sound to scores, as `Classifier.predict`: windows, their mean, and its calibration.
"use strict";

// Starts of ceil(length / window) windows that cover a sound, evenly spread.
function windowStarts(length, window) {
  const count = Math.max(1, Math.ceil(length / window));
  if (count === 1) return [0];
  return Array.from({ length: count }, (_, place) => Math.floor((place * (length - window)) / (count - 1)));
}

// The sound rounded to 16 bits relative to its peak, as in training.
function rounded(wave) {
  let peak = 0;
  for (const value of wave) peak = Math.max(peak, Math.abs(value));
  if (peak < MODEL.silent_peak) return new Float32Array(wave.length);
  const factor = Math.fround(32767 / peak);
  const scale = Math.fround(peak / 32767);
  return wave.map((value) => Math.max(-32767, Math.min(32767, Math.round(Math.fround(value * factor)))) * scale);
}

// The window that begins at `start`, padded after the end of the sound.
function windowAt(wave, start, window, pad) {
  const row = new Float32Array(window);
  const part = wave.subarray(start, start + window);
  row.set(part);
  if (pad === "repeat" && part.length > 0) {
    for (let filled = part.length; filled < window; filled *= 2) {
      row.set(row.subarray(0, Math.min(filled, window - filled)), filled);
    }
  }
  return row;
}

// Scores after dividing their logits by a temperature.
function tempered(scores, temperature) {
  if (temperature === 1) return Array.from(scores);
  const least = 2 ** -150;
  const logits = Array.from(scores, (score) => {
    const p = Math.min(1, Math.max(least, score));
    return (MODEL.binary ? Math.log(p) - Math.log(Math.max(1 - p, 2 ** -25)) : Math.log(p)) / temperature;
  });
  if (MODEL.binary) return logits.map((z) => 1 / (1 + Math.exp(-z)));
  const highest = Math.max(...logits);
  const shares = logits.map((z) => Math.exp(z - highest));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}

// Calibrated scores of a sound from the calibrated scores of its windows.
function soundScores(windows) {
  if (windows.length === 1) return Array.from(windows[0]);
  const mean = new Array(MODEL.labels.length).fill(0);
  for (const scores of windows) {
    tempered(scores, 1 / MODEL.window_temperature).forEach((score, k) => (mean[k] += score / windows.length));
  }
  return tempered(mean, MODEL.sound_temperature);
}

// Indices of classes, best first.
function ranking(scores) {
  return Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
}

// The score that a class must reach; with exclusive classes 0 for one without a threshold.
function leastScore(k, windows) {
  const thresholds = windows === 1 ? MODEL.thresholds : MODEL.sound_thresholds;
  return thresholds?.[MODEL.labels[k]] ?? (MODEL.multi_label ? 0.5 : 0);
}

// The labels of a sound, or `unknown`.
function decided(scores, windows) {
  const order = ranking(scores);
  const candidates = MODEL.multi_label ? order : order.slice(0, 1);
  const reached = candidates.filter((k) => scores[k] >= leastScore(k, windows));
  return reached.length ? reached.map((k) => MODEL.labels[k]).join(", ") : "unknown";
}
