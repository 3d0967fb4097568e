// Photo files to upright sRGB pixels, transparency on white: what extractors/decode.py does.

export async function decode(file, limits) {
  if (!file.size) throw new Error(`${file.name} is empty: copy or download it again.`);
  if (file.size > limits.max_bytes) throw new Error(`${file.name} is too large: save it smaller.`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not a photo that this browser can read: convert it to JPEG or PNG.`);
  }
  if (bitmap.width * bitmap.height > limits.max_pixels) {
    throw new Error(`${file.name} has too many pixels: scale it down.`);
  }
  return pixelsOf(bitmap, bitmap.width, bitmap.height);
}

export function pixelsOf(source, width, height) {
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "white";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(source, 0, 0);
  return pen.getImageData(0, 0, width, height);
}

// a rectangle of a photo; beyond the photo's edge the edge is repeated
export function part(photo, left, top, width, height) {
  const cut = new ImageData(width, height);
  const [from, to] = [new Uint32Array(photo.data.buffer), new Uint32Array(cut.data.buffer)];
  for (let y = 0, place = 0; y < height; y++) {
    const row = Math.min(Math.max(top + y, 0), photo.height - 1) * photo.width;
    for (let x = 0; x < width; x++) to[place++] = from[row + Math.min(Math.max(left + x, 0), photo.width - 1)];
  }
  return cut;
}
