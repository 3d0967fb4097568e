// One photo to one answer: the walk of ensemble/predictor.py, whose numbers are computed by graphs made from it.

import * as ort from "onnxruntime-web/wasm";
import { cropOf } from "./crop.js";
import { Faces } from "./faces.js";
import { read, readJson, urlOf } from "./files.js";
import { Patches } from "./patches.js";

const THREADS = 4;

export class Engine {
  // onStep is told what has been loaded
  static async open(onStep) {
    if (!hasWebGL()) throw new Error(NO_WEBGL);
    const about = await readJson("model/page.json");
    const runtime = read("ort-wasm-simd-threaded.wasm.gz").then((binary) => {
      Object.assign(ort.env.wasm, {
        wasmBinary: binary.buffer,
        wasmPaths: { mjs: urlOf("ort-wasm-simd-threaded.mjs") },
        numThreads: self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, THREADS) : 1,
      });
    });
    const graph = async (name) => {
      const [content] = await Promise.all([read(`model/${name}.onnx.gz`), runtime]);
      const graphOptimizationLevel = TRACED.has(name) ? "disabled" : "all";
      const options = { executionProviders: ["wasm"], logSeverityLevel: 3, extra: EXTRA, graphOptimizationLevel };
      return ort.InferenceSession.create(content, options);
    };
    const graphs = {};
    const opened = about.graphs.map(async (name) => {
      graphs[name] = await graph(name);
      onStep(name);
    });
    const [faces] = await Promise.all([openFaces(about), ...opened]);
    onStep("landmarks");
    return new Engine(about, graphs, faces);
  }

  constructor(about, graphs, faces) {
    Object.assign(this, { about, graphs, faces });
  }

  // photo: ImageData. Throws an Error whose message is for people where no face is found.
  async score(photo, group = "") {
    const began = performance.now();
    const { landmarks, faces, place } = await this.faces.find(photo);
    const found = performance.now();
    const answer = await this.numbersOf(photo, landmarks);
    const remark = faces > 1 ? [`${faces} faces, the largest was taken: the ${place}.`] : [];
    const milliseconds = { landmarks: found - began, all: performance.now() - began };
    return { ...this.described(answer, group, remark), landmarks, milliseconds };
  }

  async numbersOf(photo, landmarks) {
    const { matrix, placed, cells } = await this.run("levelling", { landmarks: tensor(landmarks, [-1, 3]) });
    const crop = cropOf(photo, matrix.data, this.about.crop_size);
    const onPhoto = Array.from({ length: landmarks.length / 3 }, (_, i) => {
      const [x, y] = landmarks.subarray(3 * i, 3 * i + 2);
      return x >= 0 && y >= 0 && x <= photo.width && y <= photo.height;
    });
    const patches = new Patches(crop, this.about.crop_size, placed.data, onPhoto, this.about.contours);
    const size = this.about.crop_size;
    const face = new ort.Tensor("uint8", crop, [size, size, 3]);
    const { vector, pooled } = await this.run("encoder", { face, cells });
    const networkScores = {};
    for (const { name, graphs, edge } of this.about.seeing) {
      const faces = this.middle(crop, edge);
      const scores = [];
      for (const graph of graphs) scores.push((await this.run(graph, { faces })).scores.data[0]);
      networkScores[name] = tensor(Float32Array.from(scores));
    }
    const pixels = tensor(Float32Array.from(this.about.requests, (request) => patches.measure(request)));
    return this.run("scoring", { landmarks: tensor(landmarks, [-1, 3]), pixels, vector, pooled, ...networkScores });
  }

  async run(name, inputs) {
    const graph = this.graphs[name];
    return graph.run(Object.fromEntries(graph.inputNames.map((each) => [each, inputs[each]])));
  }

  // what a network sees of the crop
  middle(crop, edge) {
    const size = this.about.crop_size;
    const side = size - 2 * edge;
    const seen = new Uint8Array(side * side * 3);
    for (let y = 0; y < side; y++) {
      const start = ((y + edge) * size + edge) * 3;
      seen.set(crop.subarray(start, start + side * 3), y * side * 3);
    }
    return new ort.Tensor("uint8", seen, [1, side, side, 3]);
  }

  // points that lead from the average face to this one, as `kallos explain` has them
  explained({ moved, z, correction }, bias) {
    const heights = Object.fromEntries(this.about.features.map(({ name }, i) => [name, z.data[i]]));
    let start = 0;
    const regions = this.about.regions.map(({ name, features }) => {
      const moves = moved.data.subarray(start, (start += features.length + 1));
      const parts = features.map((feature, i) => ({ name: feature, moved: moves[i], z: heights[feature] }));
      return { name, moved: moves.reduce((a, b) => a + b), windows: moves.at(-1), features: parts };
    });
    return { correction: correction.data[0], bias, regions };
  }

  described(answer, group, notes) {
    const { features, members, groups, regions, novelty } = this.about;
    const place = groups.findIndex(({ name }) => name === group);
    const [score, low, high] = answer.scores.data.subarray(3 * place, 3 * place + 3);
    if (!Number.isFinite(score)) throw new Error("The models return no number for this photo.");
    const unusual = novelty.measures
      .map((measure, i) => ({ ...measure, value: answer.novelty.data[i] }))
      .filter(({ is_low, limit, value }) => (is_low ? value < limit : value > limit))
      .map(({ sentence, value }) => sentence.replace(/\{\.(\d)f\}/, (_, digits) => value.toFixed(digits)));
    const named = (names, values) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
    return {
      score,
      low: Number.isFinite(low) ? low : null,
      high: Number.isFinite(high) ? high : null,
      members: named(Object.keys(members), answer.members.data),
      sub_scores: named(regions.map(({ name }) => name), answer.sub_scores.data),
      features: named(features.map(({ name }) => name), answer.features.data),
      explanation: answer.moved && this.explained(answer, groups[place].bias),
      notes: [...(Number.isFinite(low) ? [] : [this.about.no_interval]), ...notes, ...novelty.notes, ...unusual],
    };
  }
}

// thousands of small steps, which take longer to improve than to compute
const TRACED = new Set(["levelling", "scoring"]);

// weights of 8 bits become float32 once, when the graph is opened; threads that wait leave the cores to others
const EXTRA = { session: { disable_quant_qdq: "1", intra_op: { allow_spinning: "0" } } };

function tensor(data, shape = [data.length]) {
  const rest = shape.filter((size) => size > 0).reduce((a, b) => a * b, 1);
  return new ort.Tensor("float32", data, shape.map((size) => (size < 0 ? data.length / rest : size)));
}

// MediaPipe reads pixels through it, whatever its networks compute with
function hasWebGL() {
  const canvas = new OffscreenCanvas(1, 1);
  return Boolean(canvas.getContext("webgl2") ?? canvas.getContext("webgl"));
}

const NO_WEBGL =
  "This browser has no WebGL, through which the face is found: turn on its hardware acceleration, " +
  "or open this page in another browser.";

async function openFaces(about) {
  const binary = await read("vision_wasm_internal.wasm.gz");
  const wasmBinaryPath = URL.createObjectURL(new Blob([binary], { type: "application/wasm" }));
  const files = { wasmLoaderPath: urlOf("vision_wasm_internal.js"), wasmBinaryPath };
  const models = ["face_landmarker.task", "face_detector.tflite"].map((name) => read(`model/${name}`));
  return Faces.open(files, ...(await Promise.all(models)), about.landmarker);
}
