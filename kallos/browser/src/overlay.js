// The photo with the regions of the face drawn on it.

// landmarks are in pixels of the photo, the picture is so many times as large
export function drawOverlay(canvas, { picture, scale, landmarks }, about) {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
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
