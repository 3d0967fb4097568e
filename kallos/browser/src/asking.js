// Questions to the thread that has the engine.

// A worker made of a blob has the page's content security policy; one that is fetched has that of its answer, if any.
const folder = new URL("./", location.href).href;
const code = `self.FOLDER = ${JSON.stringify(folder)}; importScripts(FOLDER + "engine.js");`;
const open = new Map();
let worker;
let count = 0;

// what an action of thread.js gives; onStep is told of each step
export function ask(action, input, onStep) {
  worker ??= started();
  const id = count++;
  return new Promise((resolve, reject) => {
    open.set(id, { resolve, reject, onStep });
    worker.postMessage({ id, action, input });
  });
}

function started() {
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  worker.onmessage = ({ data: { id, step, result, problem } }) => {
    const question = open.get(id);
    if (step) return question.onStep(step);
    open.delete(id);
    if (problem) question.reject(new Error(problem));
    else question.resolve(result);
  };
  worker.onerror = ({ message }) => {
    for (const { reject } of open.values()) reject(new Error(`The models did not start: ${message}`));
  };
  return worker;
}
