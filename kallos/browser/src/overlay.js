// The photo with the regions of the face drawn on it.

const WIDEST = 900;

export function drawOverlay(canvas, photo, landmarks, about) {
  const scale = Math.min(1, WIDEST / photo.width);
  [canvas.width, canvas.height] = [photo.width, photo.height].map((side) => Math.round(side * scale));
  const source = new OffscreenCanvas(photo.width, photo.height);
  source.getContext("2d").putImageData(photo, 0, 0);
  const pen = canvas.getContext("2d");
  pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  pen.lineWidth = 1.5;
  for (const { contours, colour } of about.regions) {
    for (const contour of contours) {
      const path = new Path2D();
      for (const i of about.contours[contour]) path.lineTo(landmarks[3 * i] * scale, landmarks[3 * i + 1] * scale);
      path.closePath();
      pen.globalAlpha = 0.12;
      pen.fillStyle = pen.strokeStyle = colour;
      pen.fill(path);
      pen.globalAlpha = 0.9;
      pen.stroke(path);
    }
  }
  pen.globalAlpha = 1;
}
