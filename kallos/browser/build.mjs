// Bundles the page into built/, with the runtimes that it loads: `make browser`.

import { Resvg } from "@resvg/resvg-js";
import { build } from "esbuild";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";

const RUNTIMES = ["onnxruntime-web/dist/ort-wasm-simd-threaded", "@mediapipe/tasks-vision/wasm/vision_wasm_internal"];
const PAGE = ["index.html", "page.css", "icon.svg", "manifest.webmanifest"];
const ICONS = [192, 512];

rmSync("built", { recursive: true, force: true });
mkdirSync("built");
await build({
  entryPoints: { page: "src/page.js", engine: "src/thread.js" },
  outdir: "built",
  bundle: true,
  minify: true,
  format: "iife", // MediaPipe loads its runtime by importScripts, which modules do not have
  target: "es2022",
  conditions: ["onnxruntime-web-use-extern-wasm"],
  define: { "import.meta.url": "self.FOLDER" },
});
for (const name of PAGE) copyFileSync(name, `built/${name}`);
for (const runtime of RUNTIMES) {
  const path = `node_modules/${runtime}`;
  writeFileSync(`built/${basename(path)}.wasm.gz`, gzipSync(readFileSync(`${path}.wasm`), { level: 9 }));
  const script = [".mjs", ".js"].map((ending) => path + ending).find(existsSync);
  copyFileSync(script, `built/${basename(script)}`);
}
const [, policy] = readFileSync("index.html", "utf8").match(/content="(default-src[^"]+)"/);
writeFileSync("built/worker.js", readFileSync("worker.js", "utf8").replace("POLICY", policy));
// phones cut icons to a shape of their own and take no drawings
const square = readFileSync("icon.svg", "utf8").replace(' rx="14"', "");
for (const width of ICONS) {
  writeFileSync(`built/icon-${width}.png`, new Resvg(square, { fitTo: { mode: "width", value: width } }).render().asPng());
}
