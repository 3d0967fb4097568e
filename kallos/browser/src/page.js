// The page: a photo, the camera or a folder in, answers out. Nothing leaves it.

import { detailsOf, element, onScale, summaryOf, table } from "./answer.js";
import { ask } from "./asking.js";
import { drawOverlay } from "./overlay.js";
import { pixelsOf } from "./photos.js";

const at = (id) => document.getElementById(id);
const state = { about: null, current: null, camera: null };

function tell(message, isTrouble = false) {
  at("status").textContent = message;
  at("status").classList.toggle("trouble", isTrouble);
}

const score = (photo) => ask("score", { photo, group: at("group").value });

// photo: a file, or ImageData
async function show(name, photo) {
  tell(`Scoring ${name} …`);
  const answer = await score(photo);
  state.current = { name, photo };
  drawOverlay(at("overlay"), answer, state.about);
  at("overlay").setAttribute("aria-label", `${name} with the regions of the face drawn on it`);
  at("answer").replaceChildren(...summaryOf(state.about, answer));
  at("details").replaceChildren(...detailsOf(state.about, answer));
  at("result").hidden = false;
  tell(`Scored ${name} in ${(answer.milliseconds.all / 1000).toFixed(2)} s, on this device.`);
}

function guarded(action) {
  return async (...parameters) => {
    try {
      await action(...parameters);
    } catch (problem) {
      at("result").hidden = true;
      tell(problem.message, true);
    }
  };
}

const showFile = guarded((file) => show(file.name, file));

async function many(files) {
  if (!files.length) throw new Error("There is no picture among these files: choose photos.");
  const { about } = state;
  const rows = [];
  for (const file of files) {
    tell(`Scoring ${rows.length + 1} of ${files.length}: ${file.name} …`);
    try {
      const answer = await score(file);
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
  try {
    state.camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch (problem) {
    throw new Error(`The camera cannot be used (${problem.message}): allow it in the browser, or choose a photo.`);
  }
  const video = at("video");
  video.srcObject = state.camera;
  video.hidden = false;
  await video.play();
  at("shoot").hidden = false;
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
    at(id).addEventListener("change", guarded(({ target }) => many([...target.files].filter(isPicture))));
  }
  for (const input of document.querySelectorAll("input")) input.addEventListener("click", () => (input.value = ""));
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
  const options = about.groups.map(({ name }) => element("option", { value: name }, name || "everyone"));
  at("group").replaceChildren(...options);
  at("group-line").hidden = about.groups.length < 2;
  at("source").textContent = `${about.source}.`;
}

// The worker keeps the files for use without a network, and adds the headers without which there are no threads.
async function keepOffline() {
  const { installing, waiting, active } = await navigator.serviceWorker.register("worker.js");
  await isActive(installing ?? waiting ?? active);
  if (!self.crossOriginIsolated && !sessionStorage.getItem("reloaded")) {
    sessionStorage.setItem("reloaded", "once");
    location.reload();
    await new Promise(() => {});
  }
}

// not `ready`, which never comes where there is no room for the files
function isActive(worker) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("no room"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

async function start() {
  await keepOffline().catch(() => tell("This browser keeps nothing for use without a network."));
  wire();
  const began = performance.now();
  state.about = await ask("open", {}, (step) => tell(`Loading the models: ${step} …`));
  describe(state.about);
  await show("a drawn portrait", await (await fetch("portrait.png")).blob());
  for (const control of document.querySelectorAll("input, button")) control.disabled = false;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  tell(`Ready in ${seconds} s: choose a photo. It stays on this device. Below, as an example, a drawn portrait.`);
  document.documentElement.dataset.ready = "yes";
}

// for programs that drive this page, as kallos' own tests do
window.kallosScore = async (file) => {
  const { picture, ...answer } = await score(file);
  picture.close();
  return { ...answer, landmarks: [...answer.landmarks] };
};

start().catch((problem) => tell(problem.message, true));
