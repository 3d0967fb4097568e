// The levelled crop of a photo, as OpenCV cuts it for extractors/alignment.py: the same whole numbers, bit for bit.

const BITS = 10; // of a place within a pixel, of which FRACTION remain for weights
const FRACTION = 5;

// (size, size, 3) of RGB, by the 2 x 3 matrix from photo to crop
export function cropOf(photo, matrix, size) {
  let [a, b, shiftX, c, d, shiftY] = matrix;
  const shrink = Math.trunc(1 / Math.hypot(a, b));
  let { data, width, height } = photo;
  if (shrink > 1) {
    const small = [Math.ceil(width / shrink), Math.ceil(height / shrink)];
    data = shrunk(photo, ...small);
    [a, c] = [a, c].map((value) => (value * width) / small[0]);
    [b, d] = [b, d].map((value) => (value * height) / small[1]);
    [width, height] = small;
  }
  shiftX += (a + b) / 2 - 0.5;
  shiftY += (c + d) / 2 - 0.5;
  return warped(data, width, height, inverse(a, b, shiftX, c, d, shiftY), size);
}

function inverse(a, b, shiftX, c, d, shiftY) {
  const determinant = a * d - b * c;
  const [e, f, g, h] = [d, -b, -c, a].map((value) => value / determinant);
  return [e, f, -(e * shiftX + f * shiftY), g, h, -(g * shiftX + h * shiftY)];
}

function warped(data, width, height, [a, b, shiftX, c, d, shiftY], size) {
  const out = new Uint8Array(size * size * 3);
  const scale = 1 << BITS;
  const half = 1 << (BITS - FRACTION - 1);
  const steps = 1 << FRACTION;
  const inside = (value, length) => Math.min(Math.max(value, 0), length - 1);
  for (let y = 0, place = 0; y < size; y++) {
    const startX = Math.round((b * y + shiftX) * scale) + half;
    const startY = Math.round((d * y + shiftY) * scale) + half;
    for (let x = 0; x < size; x++) {
      const fineX = (startX + Math.round(a * x * scale)) >> (BITS - FRACTION);
      const fineY = (startY + Math.round(c * x * scale)) >> (BITS - FRACTION);
      const [left, top] = [fineX >> FRACTION, fineY >> FRACTION];
      const [right, below] = [fineX & (steps - 1), fineY & (steps - 1)];
      const columns = [inside(left, width), inside(left + 1, width)];
      const rows = [inside(top, height) * width, inside(top + 1, height) * width];
      const corners = [
        [rows[0] + columns[0], (steps - right) * (steps - below)],
        [rows[0] + columns[1], right * (steps - below)],
        [rows[1] + columns[0], (steps - right) * below],
        [rows[1] + columns[1], right * below],
      ];
      for (let channel = 0; channel < 3; channel++) {
        let sum = (steps * steps) / 2;
        for (const [pixel, weight] of corners) sum += data[4 * pixel + channel] * weight;
        out[place++] = sum / (steps * steps);
      }
    }
  }
  return out;
}

// mean over the area that each new pixel covers, RGBA
function shrunk({ data, width, height }, newWidth, newHeight) {
  const [columns, rows] = [covers(width, newWidth), covers(height, newHeight)];
  const across = new Float32Array(newWidth * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < newWidth; x++) {
      for (const [from, weight] of columns[x]) {
        for (let channel = 0; channel < 3; channel++) {
          across[4 * (y * newWidth + x) + channel] += weight * data[4 * (y * width + from) + channel];
        }
      }
    }
  }
  const out = new Uint8ClampedArray(newWidth * newHeight * 4);
  for (let y = 0; y < newHeight; y++) {
    for (let i = 0; i < 4 * newWidth; i++) {
      let sum = 0;
      for (const [from, weight] of rows[y]) sum += weight * across[4 * from * newWidth + i];
      out[4 * y * newWidth + i] = sum;
    }
  }
  return out;
}

// for each new pixel the old ones that it covers, and their shares of it
function covers(length, newLength) {
  const scale = length / newLength;
  return Array.from({ length: newLength }, (_, i) => {
    const [start, end] = [i * scale, Math.min((i + 1) * scale, length)];
    const covered = [];
    for (let from = Math.floor(start); from < end; from++) {
      const share = Math.min(end, from + 1) - Math.max(start, from);
      if (share > 1e-3) covered.push([from, share / (end - start)]);
    }
    return covered;
  });
}
