// Sends photos to the server, and shows its answers over them. Every page loads this; each uses its own part.

const at = (id) => document.getElementById(id);

function tell(message, isTrouble = false) {
  at("status").textContent = message;
  at("status").classList.toggle("trouble", isTrouble);
}

// What the server says of one photo; where it has too many, its answer when it was asked again.
async function ask(form, file) {
  const limit = Number(form.dataset.maxBytes);
  if (file.size > limit) throw new Error(`${file.name} is larger than ${limit / 2 ** 20} MiB: save it smaller.`);
  const body = new FormData();
  body.set("photo", file);
  body.set("group", form.elements.group?.value ?? "");
  for (;;) {
    const response = await fetch(form.action, { method: "POST", body });
    const again = response.headers.get("Retry-After");
    if (!again) return response;
    tell(`${(await response.json()).error} This page does so by itself.`);
    await new Promise((done) => setTimeout(done, 1000 * again));
  }
}

function guarded(action) {
  return async (...parameters) => {
    try {
      await action(...parameters);
    } catch (problem) {
      tell(problem.message, true);
    }
  };
}

function openOne(form) {
  let chosen = null;

  function choose(file) {
    chosen = file;
    URL.revokeObjectURL(at("preview").src);
    at("preview").src = URL.createObjectURL(file);
    at("preview").hidden = false;
    tell(`${file.name} is chosen.`);
  }

  async function score() {
    if (!chosen) throw new Error("Choose a photo first.");
    tell("Scoring ...");
    const response = await ask(form, chosen);
    if (!response.ok) throw new Error((await response.json()).error);
    at("answer").innerHTML = await response.text();
    at("answer").querySelector(".photo").setAttribute("href", at("preview").src);
    tell("Scored: the answer stands beside or below.");
  }

  // one file that needs no server: the page's style, the answer, and the photo in it
  async function save() {
    const answer = at("answer").cloneNode(true);
    const photo = answer.querySelector(".photo");
    photo.setAttribute("href", await asData(await (await fetch(photo.getAttribute("href"))).blob()));
    answer.querySelector(".save").remove();
    const head = `<!doctype html><html lang="en"><meta charset="utf-8"><title>kallos: explanation</title>`;
    const content = `${head}<style>${at("style").textContent}</style><main>${answer.outerHTML}</main></html>`;
    const href = URL.createObjectURL(new Blob([content], { type: "text/html" }));
    Object.assign(document.createElement("a"), { href, download: "explanation.html" }).click();
  }

  let camera = null;
  async function openCamera() {
    camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    at("video").srcObject = camera;
    at("video").hidden = at("shoot").hidden = false;
  }

  async function shoot() {
    const video = at("video");
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0);
    for (const track of camera.getTracks()) track.stop();
    video.hidden = at("shoot").hidden = true;
    choose(new File([await canvas.convertToBlob()], "camera.png"));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(score)();
  });
  form.elements.photo.addEventListener("change", ({ target }) => target.files[0] && choose(target.files[0]));
  at("camera").hidden = !navigator.mediaDevices;
  at("camera").addEventListener("click", guarded(openCamera));
  at("shoot").addEventListener("click", guarded(shoot));
  at("draw").addEventListener("click", guarded(async () => {
    choose(new File([await (await fetch("portrait")).blob()], "drawn.png"));
  }));
  at("answer").addEventListener("click", ({ target }) => target.matches(".save") && guarded(save)());
  document.addEventListener("paste", ({ clipboardData }) => clipboardData.files[0] && choose(clipboardData.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) choose(event.dataTransfer.files[0]);
  });
}

function asData(blob) {
  return new Promise((done) => {
    const reader = Object.assign(new FileReader(), { onload: () => done(reader.result) });
    reader.readAsDataURL(blob);
  });
}

function openMany(form) {
  const [own, models] = [JSON.parse(form.dataset.scale), JSON.parse(form.dataset.modelScale)];
  const onScale = (value) =>
    value === null ? "" : (own[0] + ((value - models[0]) / (models[1] - models[0])) * (own[1] - own[0])).toFixed(3);

  async function row(file) {
    try {
      const answer = await (await ask(form, file)).json();
      const first = answer.answers?.[0] ?? answer;
      if (first.error) return [file.name, "", "", "", first.error];
      return [file.name, ...[first.score, first.low, first.high].map(onScale), first.notes.join("; ")];
    } catch (problem) {
      return [file.name, "", "", "", problem.message];
    }
  }

  async function score() {
    const files = [...form.elements.photos.files, ...form.elements.folder.files].filter((f) => f.type.startsWith("image/"));
    if (!files.length) throw new Error("Choose photos first.");
    const rows = [["photo", "own_score", "own_low", "own_high", "remarks"]];
    at("table").tBodies[0].replaceChildren();
    at("table").hidden = false;
    at("csv").hidden = true;
    for (const file of files) {
      tell(`Scoring ${rows.length} of ${files.length}: ${file.name}`);
      rows.push(await row(file));
      const line = at("table").tBodies[0].insertRow();
      for (const value of rows.at(-1)) line.insertCell().textContent = value;
    }
    const text = rows.map((cells) => cells.map(quoted).join(",")).join("\n");
    at("csv").href = URL.createObjectURL(new Blob([`\ufeff${text}\n`], { type: "text/csv" }));
    at("csv").hidden = false;
    tell(`${rows.slice(1).filter((cells) => cells[1]).length} of ${files.length} photos have a score.`);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(score)();
  });
}

function quoted(value) {
  // a spreadsheet would compute what begins so
  const plain = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

if (at("one")) openOne(at("one"));
if (at("many")) openMany(at("many"));
for (const button of document.querySelectorAll(".example")) {
  button.addEventListener("click", () => (document.forms[0].elements.query.value = button.dataset.query));
}
document.querySelector("[name=rating]")?.addEventListener("input", ({ target }) => (at("given").value = target.value));
