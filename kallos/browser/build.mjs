// Bundles the page into built/, with the runtimes that it loads: `make browser`.

import { build } from "esbuild";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";

const RUNTIMES = ["onnxruntime-web/dist/ort-wasm-simd-threaded", "@mediapipe/tasks-vision/wasm/vision_wasm_internal"];
const PAGE = ["index.html", "page.css", "worker.js", "icon.svg", "manifest.webmanifest"];

rmSync("built", { recursive: true, force: true });
mkdirSync("built");
await build({
  entryPoints: ["src/page.js"],
  outfile: "built/page.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["onnxruntime-web-use-extern-wasm"],
});
for (const name of PAGE) copyFileSync(name, `built/${name}`);
for (const runtime of RUNTIMES) {
  const path = `node_modules/${runtime}`;
  writeFileSync(`built/${basename(path)}.wasm.gz`, gzipSync(readFileSync(`${path}.wasm`), { level: 9 }));
  const script = [".mjs", ".js"].map((ending) => path + ending).find(existsSync);
  copyFileSync(script, `built/${basename(script)}`);
}
const packages = ["onnxruntime-web", "@mediapipe/tasks-vision"].map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  return `${name} ${version}: ${license}`;
});
writeFileSync("built/LICENCES.txt", `kallos: Apache-2.0\nface_landmarker.task: Apache-2.0\n${packages.join("\n")}\n`);
