// The page: a photo, the camera or a folder in, answers out. Nothing leaves it.

import { answerOf, element, onScale, table } from "./answer.js";
import { Engine } from "./engine.js";
import { drawOverlay } from "./overlay.js";
import { decode, pixelsOf } from "./photos.js";

const at = (id) => document.getElementById(id);
const state = { engine: null, current: null, camera: null };

function tell(message, isTrouble = false) {
  at("status").textContent = message;
  at("status").classList.toggle("trouble", isTrouble);
}

async function show(name, photo) {
  tell(`Scoring ${name} …`);
  const answer = await state.engine.score(photo, at("group").value);
  state.current = { name, photo };
  drawOverlay(at("overlay"), photo, answer.landmarks, state.engine.about);
  at("overlay").setAttribute("aria-label", `${name} with the regions of the face drawn on it`);
  at("answer").replaceChildren(...answerOf(state.engine.about, answer));
  at("result").hidden = false;
  tell(`Scored ${name} in ${(answer.milliseconds.all / 1000).toFixed(2)} s, on this device.`);
  return answer;
}

function guarded(action) {
  return async (...given) => {
    try {
      await action(...given);
    } catch (problem) {
      at("result").hidden = true;
      tell(problem.message, true);
    }
  };
}

const showFile = guarded(async (file) => show(file.name, await decode(file, state.engine.about.limits)));

async function many(files) {
  const { about } = state.engine;
  const rows = [];
  for (const file of files) {
    tell(`Scoring ${rows.length + 1} of ${files.length}: ${file.name} …`);
    try {
      const answer = await state.engine.score(await decode(file, about.limits), at("group").value);
      const own = [answer.score, answer.low, answer.high].map((v) => (v === null ? "" : onScale(about, v).toFixed(3)));
      rows.push([file.name, ...own, answer.notes.join("; ")]);
    } catch (problem) {
      rows.push([file.name, "", "", "", problem.message]);
    }
  }
  const heads = ["photo", "own_score", "own_low", "own_high", "remarks"];
  const text = [heads, ...rows].map((row) => row.map(quoted).join(",")).join("\n");
  const link = element("a", { download: "scores.csv", href: URL.createObjectURL(new Blob([`\ufeff${text}\n`])) });
  link.append("Download scores.csv");
  at("table").replaceChildren(table(`Scores on ${about.scale.words}`, heads, rows), element("p", {}, link));
  tell(`Scored ${rows.filter((row) => row[1]).length} of ${files.length} photos.`);
}

function quoted(value) {
  // a spreadsheet would compute what begins so
  const plain = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

async function openCamera() {
  state.camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  at("video").srcObject = state.camera;
  at("video").hidden = at("shoot").hidden = false;
  tell("The picture stays on this device.");
}

async function shoot() {
  const video = at("video");
  const photo = pixelsOf(video, video.videoWidth, video.videoHeight);
  for (const track of state.camera.getTracks()) track.stop();
  video.hidden = at("shoot").hidden = true;
  await show("the picture of the camera", photo);
}

function wire() {
  at("photo").addEventListener("change", ({ target }) => target.files[0] && showFile(target.files[0]));
  for (const id of ["photos", "folder"]) {
    at(id).addEventListener("change", guarded(async ({ target }) => many([...target.files].filter(isPicture))));
  }
  at("camera").addEventListener("click", guarded(openCamera));
  at("shoot").addEventListener("click", guarded(shoot));
  at("group").addEventListener("change", guarded(async () => state.current && show(...Object.values(state.current))));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) showFile(file);
  });
}

const isPicture = (file) => file.type.startsWith("image/");

function describe(about) {
  document.title = `kallos: ${about.trait}`;
  at("group").replaceChildren(...about.groups.map((group) => element("option", { value: group }, group || "everyone")));
  at("group-line").hidden = about.groups.length < 2;
  at("source").textContent = about.source;
  for (const control of document.querySelectorAll("input, button")) control.disabled = false;
}

// The worker keeps the files for use without a network, and adds the headers without which there are no threads.
async function keepOffline() {
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register("worker.js");
  await navigator.serviceWorker.ready;
  if (!self.crossOriginIsolated && !sessionStorage.getItem("reloaded")) {
    sessionStorage.setItem("reloaded", "once");
    location.reload();
    await new Promise(() => {});
  }
}

async function start() {
  await keepOffline().catch(() => tell("This browser keeps nothing for use without a network."));
  wire();
  const began = performance.now();
  state.engine = await Engine.open((step) => tell(`Loading the models: ${step} …`));
  describe(state.engine.about);
  tell(`Ready in ${((performance.now() - began) / 1000).toFixed(1)} s: choose a photo. It stays on this device.`);
  document.documentElement.dataset.ready = "yes";
}

// for programs that drive this page, as kallos' own tests do
Object.assign(window, {
  kallosScore: async (file) => {
    const photo = await decode(file, state.engine.about.limits);
    const answer = await state.engine.score(photo);
    return { ...answer, landmarks: [...answer.landmarks] };
  },
});

start().catch((problem) => tell(problem.message, true));
