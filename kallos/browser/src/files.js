// Files of this folder. Large ones are stored compressed, and some servers unpack them on the way.

const GZIP = [0x1f, 0x8b];

export async function read(name) {
  const answer = await fetch(urlOf(name));
  if (!answer.ok) throw new Error(`${name} is missing from the folder of this page: export it again.`);
  const content = new Uint8Array(await answer.arrayBuffer());
  if (content[0] !== GZIP[0] || content[1] !== GZIP[1]) return content;
  const unpacked = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

// FOLDER is that of the page: this thread has no address of its own
export const urlOf = (name) => new URL(name, self.FOLDER).href;

export async function readJson(name) {
  return JSON.parse(new TextDecoder().decode(await read(name)));
}
