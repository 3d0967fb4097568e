// The landmarks of the largest face: MediaPipe's landmarker, asked as extractors/landmarker.py asks it.

import { FaceDetector, FaceLandmarker } from "@mediapipe/tasks-vision";
import { part } from "./photos.js";

export class Faces {
  static async open(files, model, detectorModel, settings) {
    const base = { delegate: "CPU" };
    const landmarker = await FaceLandmarker.createFromOptions(files, {
      baseOptions: { ...base, modelAssetBuffer: model },
      numFaces: settings.max_faces,
      minFaceDetectionConfidence: settings.detection,
      minFacePresenceConfidence: settings.presence,
      runningMode: "IMAGE",
    });
    const openDetector = () =>
      FaceDetector.createFromOptions(files, {
        baseOptions: { ...base, modelAssetBuffer: detectorModel },
        minDetectionConfidence: settings.confidence,
        runningMode: "IMAGE",
      });
    return new Faces(landmarker, openDetector, settings);
  }

  constructor(landmarker, openDetector, settings) {
    Object.assign(this, { landmarker, openDetector, settings });
  }

  // { landmarks: Float32Array of x, y, z in pixels, faces, place }
  async find(photo) {
    let faces = this.all(photo);
    if (!faces.length) faces = this.inBorder(photo);
    faces = faces.length ? await this.andSmaller(photo, faces) : await this.small(photo);
    const largest = faces.reduce((best, face, i) => (area(face) > area(faces[best]) ? i : best), 0);
    return { landmarks: faces[largest], faces: faces.length, place: placeOf(faces, largest) };
  }

  all(photo, left = 0, top = 0) {
    const { width, height } = photo;
    return this.landmarker
      .detect(photo)
      .faceLandmarks.map((face) =>
        Float32Array.from(face.flatMap((p) => [p.x * width + left, p.y * height + top, p.z * width])),
      );
  }

  inBorder(photo) {
    const [top, left] = [photo.height, photo.width].map((side) => Math.trunc(side * this.settings.border));
    const bordered = part(photo, -left, -top, photo.width + 2 * left, photo.height + 2 * top);
    return this.all(bordered, -left, -top);
  }

  async andSmaller(photo, faces) {
    const side = Math.round(Math.max(...faces.map(size)) / 2 / this.settings.detectable);
    if (side >= Math.max(photo.width, photo.height)) return faces;
    return [...faces, ...(await this.closely(photo, side, faces))];
  }

  async small(photo) {
    const { nearer, smallest, detectable } = this.settings;
    const longer = Math.max(photo.width, photo.height);
    const faces = [];
    for (const side of new Set(nearer.map((p) => Math.round(Math.max(longer / p, smallest / detectable))))) {
      const isFound = faces.some((face) => widthOf(face) >= smallest);
      faces.push(...(await this.closely(photo, side, faces)));
      if (isFound) break;
    }
    const large = faces.filter((face) => widthOf(face) >= smallest);
    if (large.length) return large;
    const wide = Math.max(smallest, (detectable * longer) / nearer.at(-1)).toFixed(0);
    throw new Error(
      faces.length
        ? `The face is too small to be measured: use a photo with a face at least ${wide} pixels wide.`
        : "No face was found: use a photo that shows one face from the front, well lit, " +
          `at least ${wide} pixels wide.`,
    );
  }

  async closely(photo, side, known) {
    this.detector ??= await this.openDetector();
    const found = [];
    for (const box of this.boxes(photo, side)) {
      if ([...known, ...found].some((face) => isSame(box, boxOf(face)))) continue;
      const [left, top, right, bottom] = box;
      const room = Math.max(right - left, bottom - top);
      const [x, y] = [left, top].map((start) => Math.max(Math.trunc(start - room), 0));
      const width = Math.min(Math.trunc(right + room), photo.width) - x;
      const height = Math.min(Math.trunc(bottom + room), photo.height) - y;
      const faces = this.all(part(photo, x, y, width, height), x, y);
      found.push(...faces.filter((face) => isSame(box, boxOf(face))).slice(0, 1));
    }
    return found;
  }

  boxes(photo, side) {
    const found = [];
    for (const top of starts(photo.height, side)) {
      for (const left of starts(photo.width, side)) {
        const [width, height] = [Math.min(side, photo.width - left), Math.min(side, photo.height - top)];
        for (const { boundingBox: box, categories } of this.detector.detect(part(photo, left, top, width, height))
          .detections) {
          const [x, y] = [left + box.originX, top + box.originY];
          found.push({ score: categories[0].score, box: [x, y, x + box.width, y + box.height] });
        }
      }
    }
    const boxes = [];
    for (const { box } of found.sort((a, b) => b.score - a.score)) {
      if (!boxes.some((other) => isSame(box, other))) boxes.push(box);
    }
    return boxes;
  }
}

function starts(length, side) {
  if (length <= side) return [0];
  const count = Math.ceil((1.5 * (length - side)) / side) + 1;
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - side)) / (count - 1)));
}

export function boxOf(face) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < face.length; i += 3) {
    box[0] = Math.min(box[0], face[i]);
    box[1] = Math.min(box[1], face[i + 1]);
    box[2] = Math.max(box[2], face[i]);
    box[3] = Math.max(box[3], face[i + 1]);
  }
  return box;
}

const widthOf = (face) => boxOf(face)[2] - boxOf(face)[0];
const size = (face) => Math.max(widthOf(face), boxOf(face)[3] - boxOf(face)[1]);
const area = (face) => widthOf(face) * (boxOf(face)[3] - boxOf(face)[1]);

function isSame(one, other) {
  return holdsMiddle(one, other) || holdsMiddle(other, one);
}

function holdsMiddle([left, top, right, bottom], inner) {
  const [x, y] = [(inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2];
  return left <= x && x <= right && top <= y && y <= bottom;
}

function placeOf(faces, one) {
  const middles = [0, 1].map((axis) =>
    faces.map((face) => face.filter((_, i) => i % 3 === axis).reduce((a, b) => a + b) / (face.length / 3)),
  );
  const [across, down] = middles.map((all) => Math.max(...all) - Math.min(...all));
  const axis = down > across ? 1 : 0;
  const number = middles[axis].filter((middle) => middle < middles[axis][one]).length + 1;
  return `${number}${{ 1: "st", 2: "nd", 3: "rd" }[number] ?? "th"} from the ${["left", "top"][axis]}`;
}
