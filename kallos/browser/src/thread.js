// The engine on a thread of its own: the page answers while a photo is scored.

import { Engine } from "./engine.js";
import { decode } from "./photos.js";

const WIDEST = 900; // of the picture that the page draws regions on

let engine;
const actions = {
  open: async (_, onStep) => {
    engine = await Engine.open(onStep);
    return engine.about;
  },
  // photo: a file, or ImageData
  score: async ({ photo, group }) => {
    const began = performance.now();
    const pixels = photo instanceof Blob ? await decode(photo, engine.about.limits) : photo;
    const answer = await engine.score(pixels, group);
    const scale = Math.min(1, WIDEST / pixels.width);
    const [resizeWidth, resizeHeight] = [pixels.width, pixels.height].map((side) => Math.max(Math.round(side * scale), 1));
    const picture = await createImageBitmap(pixels, { resizeWidth, resizeHeight, resizeQuality: "medium" });
    const { milliseconds } = answer;
    return { ...answer, milliseconds: { ...milliseconds, all: performance.now() - began }, picture, scale };
  },
};

async function answer({ id, action, input }) {
  try {
    const result = await actions[action](input, (step) => self.postMessage({ id, step }));
    self.postMessage({ id, result }, result.picture ? [result.picture] : []);
  } catch (problem) {
    self.postMessage({ id, problem: problem.message });
  }
}

// one after another: a graph computes one photo at a time
let last = Promise.resolve();
self.onmessage = ({ data }) => (last = last.then(() => answer(data)));
