// What the page shows.
"use strict";

const $ = (id) => document.getElementById(id);
const RATE = MODEL.sample_rate;
const LINES = ["#2563a8", "#d97706", "#15803d", "#b91c8b", "#6b7280"];
let task = 0; // Of the sound that is shown; another sound ends the work on the last one.
let listening = false;

const plain = (label) => label.replaceAll("_", " ");

function tell(text, fault = false) {
  $("status").textContent = text;
  $("status").classList.toggle("fault", fault);
}

function showScores(scores, windows) {
  $("result").hidden = false;
  $("label").textContent = plain(decided(scores, windows));
  $("bars").replaceChildren(
    ...ranking(scores).slice(0, 5).map((k) => {
      const row = document.createElement("li");
      const [name, bar, number] = ["span", "meter", "span"].map((tag) => document.createElement(tag));
      name.textContent = plain(MODEL.labels[k]);
      bar.value = scores[k];
      bar.setAttribute("aria-label", name.textContent);
      number.textContent = scores[k].toFixed(2);
      row.append(name, bar, number);
      return row;
    }),
  );
}

// The scores of the best classes over time, as lines; hidden for a single window.
function showLines(starts, windows, length) {
  $("over-time").hidden = windows.length < 2;
  if (windows.length < 2) return;
  const best = ranking(MODEL.labels.map((_, k) => Math.max(...windows.map((scores) => scores[k])))).slice(0, 5);
  const middle = (n) => ((starts[n] + MODEL.clip_samples / 2) / length) * 1000;
  $("lines").replaceChildren(
    ...best.map((k, place) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
      const points = windows.map((scores, n) => [middle(n), 100 - 100 * scores[k]]);
      points.unshift([0, points[0][1]]);
      points.push([1000, points.at(-1)[1]]);
      line.setAttribute("points", points.map((point) => point.map((value) => value.toFixed(1)).join()).join(" "));
      line.setAttribute("stroke", LINES[place]);
      return line;
    }),
  );
  $("legend").replaceChildren(
    ...best.map((k, place) => {
      const name = document.createElement("li");
      name.textContent = plain(MODEL.labels[k]);
      name.style.setProperty("--line", LINES[place]);
      return name;
    }),
  );
}

function showAxes(seconds) {
  $("plots").hidden = false;
  $("hertz").replaceChildren(
    ...[200, 500, 1000, 2000, 4000, 8000, 16000].filter((hz) => hz < 0.48 * RATE).map((hz) => {
      const tick = document.createElement("span");
      tick.textContent = hz < 1000 ? hz : `${hz / 1000}k`;
      tick.style.top = `${100 * heightOf(hz, RATE)}%`;
      return tick;
    }),
  );
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800].find((s) => seconds / s <= 6) ?? 3600;
  $("seconds").replaceChildren(
    ...Array.from({ length: Math.floor((0.96 * seconds) / step) + 1 }, (_, n) => {
      const tick = document.createElement("span");
      tick.textContent = `${+(n * step).toFixed(1)}${n === 0 ? " s" : ""}`;
      tick.style.left = `${(100 * n * step) / seconds}%`;
      return tick;
    }),
  );
}

// Scores a sound (samples at the model's rate), and shows it. Gives its scores; null after a fault, and if another sound came.
async function classify(wave, name) {
  stopListening();
  const mine = ++task;
  try {
    showAxes(wave.length / RATE);
    drawSpectrogram($("spectrogram"), wave, RATE);
    const ready = rounded(wave);
    const starts = windowStarts(ready.length, MODEL.clip_samples);
    const found = [];
    let ms = 0;
    for (const start of starts) {
      const answer = await network.scores(windowAt(ready, start, MODEL.clip_samples, MODEL.pad));
      if (mine !== task) return null;
      found.push(answer.scores);
      ms += answer.ms;
      if (starts.length > 8) tell(`${name}: ${Math.round((100 * found.length) / starts.length)} %`);
    }
    const scores = soundScores(found);
    showScores(scores, found.length);
    showLines(starts, found, ready.length);
    const length = `${+(wave.length / RATE).toPrecision(3)} s`;
    tell(`${name}: ${length} of sound, ${(ms / found.length).toFixed(0)} ms for each window of ${MODEL.clip_samples / RATE} s`);
    return { scores, windows: found.length, ms: ms / found.length };
  } catch (error) {
    if (mine === task) tell(`${name}: ${error.message}`, true);
    return null;
  }
}

async function open(file) {
  stopListening();
  const mine = ++task;
  tell(`${file.name}: decoding`);
  let wave;
  try {
    wave = await decoded(await file.arrayBuffer());
  } catch {
    if (mine === task) tell(`${file.name}: not a sound that this browser can read (WAV, MP3, FLAC, OGG, ...)`, true);
    return null;
  }
  if (mine !== task) return null;
  $("player").hidden = false;
  if ($("player").src) URL.revokeObjectURL($("player").src);
  $("player").src = URL.createObjectURL(file);
  return classify(wave, file.name);
}

// A column of the spectrogram for each piece of sound that was heard.
function scroll(canvas) {
  const context = canvas.getContext("2d");
  const columns = Math.max(1, Math.round(canvas.width / 300));
  let [heard, highest] = [new Float32Array(0), -40];
  const step = Math.round((microphone.rate * (MODEL.clip_samples / RATE) * columns) / canvas.width);
  context.fillStyle = "#000004";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return (part) => {
    const joined = new Float32Array(heard.length + part.length);
    joined.set(heard);
    joined.set(part, heard.length);
    heard = joined;
    while (heard.length >= Math.max(step, FFT)) {
      // Bands up to half of the model's rate: of a higher rate, every so many samples are enough for a picture.
      const every = Math.max(1, Math.round(microphone.rate / RATE));
      const picked = every === 1 ? heard : heard.filter((_, n) => n % every === 0);
      const levels = column(picked, 0, microphone.rate / every, canvas.height);
      heard = heard.slice(step);
      highest = Math.max(highest - 0.02, ...levels);
      context.drawImage(canvas, -columns, 0);
      const image = painted(new Array(columns).fill(levels), highest);
      context.putImageData(image, canvas.width - columns, 0);
    }
  };
}

async function listen() {
  const mine = ++task;
  const window_s = MODEL.clip_samples / RATE;
  // Until the visitor has allowed the microphone; a sound may be opened meanwhile.
  $("microphone").disabled = true;
  try {
    let show = () => {};
    await microphone.start(window_s, (part) => show(part));
    if (mine !== task) return microphone.stop();
    show = scroll($("spectrogram"));
  } catch (error) {
    microphone.stop();
    if (mine === task) tell(`microphone: ${error.message}`, true);
    return;
  } finally {
    $("microphone").disabled = false;
  }
  listening = true;
  $("microphone").textContent = "Stop";
  $("player").hidden = $("over-time").hidden = true;
  showAxes(window_s);
  $("seconds").replaceChildren();
  tell(`listening; each score is of the last ${window_s} s`);
  while (listening && mine === task) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const recent = microphone.recent?.();
    if (!listening || mine !== task || microphone.count < 0.25 * microphone.rate) continue;
    const wave = rounded(resampled(recent, microphone.rate, RATE)).subarray(0, MODEL.clip_samples);
    try {
      const { scores } = await network.scores(windowAt(wave, 0, MODEL.clip_samples, MODEL.pad));
      if (listening && mine === task) showScores(Array.from(scores), 1);
    } catch (error) {
      if (mine !== task) return;
      stopListening();
      tell(error.message, true);
    }
  }
}

function stopListening() {
  if (!listening) return;
  listening = false;
  microphone.stop();
  $("microphone").textContent = "Microphone";
  tell("stopped");
}

function prepare() {
  $("choose").onclick = () => $("file").click();
  $("file").onchange = () => {
    if ($("file").files[0]) open($("file").files[0]);
    $("file").value = "";
  };
  $("microphone").onclick = () => (listening ? stopListening() : listen());
  document.ondragover = (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  };
  document.ondragleave = (event) => event.relatedTarget ?? $("drop").classList.remove("over");
  document.ondrop = (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file && !$("choose").disabled) open(file);
  };
}

// Resolves when sounds can be classified; the page is of use to programs too.
const ready = (async () => {
  prepare();
  try {
    await network.load();
  } catch (error) {
    const apart = location.protocol === "file:" && document.querySelector("[data-file]");
    tell(apart ? "this page must come from a web server: run python -m http.server in its folder" : `the model does not load: ${error.message}`, true);
    throw error;
  }
  $("choose").disabled = $("microphone").disabled = false;
  tell("ready");
})();
ready.catch(() => {});
globalThis.audiosurvey = { ready, open, classify };
