"use strict";
const read = (id) => { const found = document.getElementById(id); return found ? JSON.parse(found.textContent) : null; };
const sounds = read("page-sounds") || [], data = read("page-data") || {};
const make = (name, text, kind) => { const made = document.createElement(name); if (text !== undefined) made.textContent = text; if (kind) made.className = kind; return made; };
const each = (selector, action, root = document) => root.querySelectorAll(selector).forEach(action);

// Players. Each sound is on the page once, whatever number of players it has.
const attach = (audio) => {
  audio.src = sounds[audio.dataset.sound];
  audio.addEventListener("play", () => { each("audio", (other) => { if (other !== audio) other.pause(); }); follow(audio); });
};
// The cursor of the spectrogram beside a player follows it.
const follow = (audio) => {
  const card = audio.closest("[data-clip]"), own = audio.closest(".version");
  const picture = (own || card)?.querySelector(".spectrogram");
  if (!picture || "other" in audio.dataset) return;
  const cursor = picture.querySelector(".cursor"), seconds = Number(picture.dataset.seconds);
  const move = () => {
    cursor.style.left = `${Math.min(100, 100 * audio.currentTime / seconds)}%`;
    cursor.classList.toggle("on", !audio.paused || audio.currentTime > 0);
    if (!audio.paused) requestAnimationFrame(move);
  };
  audio.onseeked = move;
  move();
};
each("audio[data-sound]", attach);
each(".spectrogram .image", (image) => image.addEventListener("click", (event) => {
  const holder = image.closest(".version") || image.closest("[data-clip]"), audio = holder?.querySelector("audio");
  if (!audio) return;
  const box = image.getBoundingClientRect();
  audio.currentTime = (event.clientX - box.left) / box.width * Number(image.parentElement.dataset.seconds);
  audio.play();
}));
each("#dim", (box) => box.addEventListener("change", () => document.body.classList.toggle("undimmed", !box.checked)));

// Tables that sort by the column whose header is pressed.
const value = (row, column) => { const cell = row.cells[column], given = cell.dataset.value; return given !== undefined ? given : cell.textContent.trim(); };
const compare = (one, other) => {
  const [a, b] = [Number(one), Number(other)];
  if (one !== "" && other !== "" && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  if (one === "" || other === "") return one === other ? 0 : one === "" ? -1 : 1;
  return one.localeCompare(other);
};
each("table.sorts", (table) => each("thead th button", (button) => button.addEventListener("click", () => {
  const head = button.closest("th"), body = table.tBodies[0], first = head.dataset.first || "descending";
  const order = head.getAttribute("aria-sort") === first ? (first === "descending" ? "ascending" : "descending") : first;
  each("th[aria-sort]", (other) => other.removeAttribute("aria-sort"), table);
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  [...body.rows].sort((one, other) => sign * compare(value(one, head.cellIndex), value(other, head.cellIndex))).forEach((row) => body.append(row));
}), table));

// A table of buttons is one stop for the Tab key; arrow keys move inside.
each("table.grid", (table) => {
  const buttons = () => [...table.querySelectorAll("button")];
  const choose = (chosen) => buttons().forEach((button) => { button.tabIndex = button === chosen ? 0 : -1; });
  choose(table.querySelector("tbody button") || buttons()[0]);
  table.addEventListener("focusin", (event) => { if (event.target.tagName === "BUTTON") choose(event.target); });
  table.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const cell = event.target.closest("td, th");
    if (!steps || !cell) return;
    event.preventDefault();
    const rows = [...table.rows];
    let [row, column] = [rows.indexOf(cell.parentElement) + steps[0], cell.cellIndex + steps[1]];
    while (rows[row] && rows[row].cells[column]) {
      const button = rows[row].cells[column].querySelector("button");
      if (button) { button.focus(); button.scrollIntoView({ block: "nearest", inline: "nearest" }); return; }
      row += steps[0]; column += steps[1];
    }
  });
});

// The clips behind a cell of the confusion matrix.
const dialog = document.getElementById("clips");
const open = (title, clips) => {
  dialog.querySelector("h2").textContent = title;
  const list = dialog.querySelector("ol");
  list.replaceChildren(...clips.map(([clip, source, fold, truth, said, score, truthScore, sound]) => {
    const item = make("li"), wrong = truth !== said;
    item.append(make("b", clip));
    const parts = [`fold ${fold}`, ...(source ? [`recording ${source}`] : []), `score ${score.toFixed(3)}`, ...(wrong ? [`true class ${truthScore.toFixed(3)}`] : [])];
    item.append(make("div", parts.join(", "), "soft"));
    if (sound !== null) {
      const audio = make("audio");
      audio.controls = true; audio.preload = "metadata"; audio.dataset.sound = sound; audio.setAttribute("aria-label", clip);
      attach(audio); item.append(audio);
    }
    return item;
  }));
  dialog.showModal();
};
each("button[data-true]", (button) => button.addEventListener("click", () => {
  const [truth, said] = [Number(button.dataset.true), Number(button.dataset.predicted)];
  const clips = data.clips.filter((clip) => clip[3] === truth && clip[4] === said);
  const [one, other] = [data.classes[truth], data.classes[said]];
  const total = Number(button.textContent), listed = clips.length < total ? `${clips.length} of ` : "";
  const count = `${listed}${total} clip${total === 1 ? "" : "s"} of ${one}`;
  open(truth === said ? `${count}, recognised` : `${count} taken for ${other}`, clips);
}));
if (dialog) {
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => each("audio", (audio) => audio.pause(), dialog));
}

// Scores of the classes of two models side by side.
each("[data-dataset]", (pair) => {
  const [left, right] = pair.querySelectorAll("select"), body = pair.querySelector("tbody"), heads = pair.querySelectorAll("th[data-model] button");
  const { classes, models } = data.datasets[Number(pair.dataset.dataset)];
  const cell = (text, value, kind) => { const made = make("td", text, kind); made.dataset.value = value; return made; };
  const show = (score) => cell(score === null ? "–" : (100 * score).toFixed(1), score === null ? "" : score, "n");
  const draw = () => {
    const [one, other] = [models[left.value], models[right.value]];
    heads[0].textContent = one.name; heads[1].textContent = other.name;
    each("th[aria-sort]", (head) => head.removeAttribute("aria-sort"), pair);
    body.replaceChildren(...classes.map((name, k) => {
      const row = make("tr"), head = make("th", name, "name"), a = one.scores[k], b = other.scores[k];
      const change = a === null || b === null ? null : 100 * (b - a), still = change === null || Math.abs(change) < 0.05;
      head.scope = "row";
      const text = change === null ? "–" : `${change > 0 && !still ? "+" : ""}${still ? "0.0" : change.toFixed(1)}`;
      row.append(head, show(a), show(b), cell(text, change === null ? "" : change, `n ${still ? "" : change > 0 ? "up" : "down"}`));
      return row;
    }));
  };
  [left, right].forEach((select) => select.addEventListener("change", draw));
  draw();
});
addEventListener("beforeprint", () => each("details", (part) => { part.open = true; }));
