// Refuses before it is sent what would be refused afterwards, in words that stay on the page.
() => {
  const place = () => document.querySelector("#refused .refused");
  const tell = (words) => {
    const line = place();
    line.textContent = words;
    line.hidden = !words;
  };
  const fault = (file) => {
    const most = Number(place().dataset.mb);
    const size = file.size / 1e6;
    if (!file.size) return `${file.name}: the file is empty (0 bytes)`;
    if (size > most) return `${file.name}: ${size.toPrecision(3)} MB; the limit is ${most} MB`;
    // The same rule as the component's own.
    if (!file.type.startsWith("audio/")) return `${file.name}: not a sound file (WAV, FLAC, OGG, MP3, AIFF, ...)`;
    return "";
  };
  const check = (event, files) => {
    if (!files?.length || !event.target.closest?.("#sound")) return;
    const words = fault(files[0]);
    tell(words);
    if (!words) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type === "change") event.target.value = "";
    else event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
  };
  document.addEventListener("change", (event) => check(event, event.target.files), true);
  document.addEventListener("drop", (event) => check(event, event.dataTransfer?.files), true);
}
