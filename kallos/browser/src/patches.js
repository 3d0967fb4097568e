// What features need of the crop's pixels: the measures of extractors/patches.py, by OpenCV's arithmetic.

const BLUR = 4; // pixels to each side
const FEWEST = 16;

export class Patches {
  // crop (size, size, 3) RGB; placed (P, 2) in its pixels; onPhoto (P,)
  constructor(crop, size, placed, onPhoto, contours) {
    this.size = size;
    this.lab = labOf(crop);
    this.contours = contours;
    this.places = {};
    const count = placed.length / 2;
    this.corners = Array.from({ length: count }, (_, i) => {
      const [x, y] = [placed[2 * i], placed[2 * i + 1]];
      if (!onPhoto[i] || x < 0 || y < 0 || x > size || y > size) return null;
      return [x, y].map((value) => Math.min(Math.max(Math.round(value - 0.5), 0), size - 1));
    });
    this.lightness = this.lab.filter((_, i) => i % 3 === 0);
  }

  measure({ kind, channel, patches }) {
    const inside = patches.flatMap((patch) => this.inside(patch));
    return inside.length ? this[kind](inside, channel) : NaN;
  }

  mean(inside, channel) {
    const values = inside.map((place) => this.lab[3 * place + channel]);
    return channel ? moments(values)[0] - 128 : (moments(values)[0] * 100) / 255;
  }

  spread(inside, channel) {
    const [, variance] = moments(inside.map((place) => this.lab[3 * place + channel]));
    return Math.sqrt(variance) * (channel ? 1 : 100 / 255);
  }

  sharpness(inside) {
    const bends = inside.map((place) => {
      const around = [[-1, 0], [1, 0], [0, -1], [0, 1]].map(([x, y]) => this.lightness[this.beside(place, x, y)]);
      return around.reduce((a, b) => a + b) - 4 * this.lightness[place];
    });
    return Math.log10(1 + moments(bends)[1] * (100 / 255) ** 2);
  }

  texture_entropy(inside) {
    const counts = {};
    for (const place of inside) {
      let sum = 0;
      for (let y = -BLUR; y <= BLUR; y++) {
        for (let x = -BLUR; x <= BLUR; x++) sum += this.lightness[this.beside(place, x, y)];
      }
      const value = this.lightness[place] - Math.round(sum / (2 * BLUR + 1) ** 2);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    const shares = Object.values(counts).map((count) => count / inside.length);
    return -shares.reduce((sum, share) => sum + share * Math.log2(share), 0);
  }

  // the pixel so far to the right and below; beyond the edge in a mirror that stands on the last pixel
  beside(place, x, y) {
    const mirrored = (value) => {
      const last = this.size - 1;
      return value < 0 ? -value : value > last ? 2 * last - value : value;
    };
    return mirrored(Math.floor(place / this.size) + y) * this.size + mirrored((place % this.size) + x);
  }

  // the pixels within a contour, its edge among them; none where it lies off the photo
  inside(patch) {
    if (!(patch in this.places)) {
      const corners = this.contours[patch].map((i) => this.corners[i]);
      const filled = corners.every(Boolean) ? this.filled(corners) : [];
      this.places[patch] = filled.length >= FEWEST ? filled : [];
    }
    return this.places[patch];
  }

  filled(corners) {
    const pixels = new Set();
    const edges = corners.map((corner, i) => [corner, corners[(i + 1) % corners.length]]);
    for (const edge of edges) for (const [x, y] of line(...edge)) pixels.add(y * this.size + x);
    const rows = corners.map(([, y]) => y);
    for (let y = Math.min(...rows); y < Math.max(...rows); y++) {
      const crossings = edges
        .map(([p, q]) => (p[1] < q[1] ? [p, q] : [q, p]))
        .filter(([p, q]) => p[1] <= y && y < q[1])
        .map(([p, q]) => p[0] + ((q[0] - p[0]) * (y - p[1])) / (q[1] - p[1]))
        .sort((a, b) => a - b);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        for (let x = Math.ceil(crossings[i]); x <= crossings[i + 1]; x++) pixels.add(y * this.size + x);
      }
    }
    return [...pixels].sort((a, b) => a - b);
  }
}

// Bresenham's, from left to right
function line(from, to) {
  const [start, end] = from[0] <= to[0] ? [from, to] : [to, from];
  const [across, down] = [end[0] - start[0], Math.abs(end[1] - start[1])];
  const [longer, shorter] = [Math.max(across, down), Math.min(across, down)];
  const side = Math.sign(end[1] - start[1]);
  const points = [[...start]];
  let [x, y] = start;
  let error = longer - 2 * shorter;
  for (let i = 0; i < longer; i++) {
    const isBent = error < 0;
    error += isBent ? 2 * (longer - shorter) : -2 * shorter;
    if (across >= down || isBent) x += 1;
    if (across < down || isBent) y += side;
    points.push([x, y]);
  }
  return points;
}

function moments(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length];
}

// CIELAB of 8 bits by tables of whole numbers, as OpenCV has it
const LAB = (() => {
  const gamma = Float64Array.from({ length: 256 }, (_, i) => {
    const share = i / 255;
    return Math.round(255 * 8 * (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4));
  });
  const root = Float64Array.from({ length: 3072 }, (_, i) => {
    const share = i / (255 * 8);
    return Math.round(32768 * (share < 0.008856 ? share * 7.787 + 0.13793103448275862 : Math.cbrt(share)));
  });
  const weights = [
    [0.412453 / 0.950456, 0.35758 / 0.950456, 0.180423 / 0.950456],
    [0.212671, 0.71516, 0.072169],
    [0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754],
  ].map((row) => row.map((weight) => Math.round(weight * 4096)));
  return { gamma, root, weights };
})();

function labOf(crop) {
  const { gamma, root, weights } = LAB;
  const lab = new Uint8ClampedArray(crop.length);
  const descaled = (value, bits) => Math.floor((value + 2 ** (bits - 1)) / 2 ** bits);
  for (let i = 0; i < crop.length; i += 3) {
    const [red, green, blue] = [gamma[crop[i]], gamma[crop[i + 1]], gamma[crop[i + 2]]];
    const [x, y, z] = weights.map(([r, g, b]) => root[descaled(red * r + green * g + blue * b, 12)]);
    lab[i] = descaled(296 * y - 1336934, 15);
    lab[i + 1] = descaled(500 * (x - y) + 128 * 32768, 15);
    lab[i + 2] = descaled(200 * (y - z) + 128 * 32768, 15);
  }
  return lab;
}
