// An answer as parts of the page.

const SHOWN = 3; // features of a region that are listed: those that moved it most

export function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children);
  return created;
}

// figures on the raters' own scale
export function onScale(about, score) {
  return about.scale.low + share(about, score) * (about.scale.high - about.scale.low);
}

const width = ({ low, high }) => high - low;
const share = ({ model_scale: scale }, score) => (score - scale.low) / width(scale);
const figure = (about, score) => onScale(about, score).toFixed(2);
const plain = (name) => name.replaceAll("_", " ");
const percent = (value) => `${(100 * Math.min(Math.max(value, 0), 1)).toFixed(1)}%`;

function points(about, moved, digits = 3) {
  const value = (moved * width(about.scale)) / width(about.model_scale);
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}

export function summaryOf(about, answer) {
  const warnings = [...answer.notes, ...about.doubts].map((note) => element("li", {}, note));
  const interval =
    answer.low === null
      ? "no 90 % interval"
      : `90 % interval ${figure(about, answer.low)} to ${figure(about, answer.high)}, for photos like the training photos`;
  return [
    element("h2", {}, `${figure(about, answer.score)} on ${about.scale.words}`),
    line(about, answer),
    element("p", {}, interval),
    ...(warnings.length ? [element("ul", { class: "warnings" }, ...warnings)] : []),
    table("Sub-scores by region", ["region", "sub-score", "", "weight"], regionRows(about, answer)),
    element("p", { class: "faint" }, about.meaning),
  ];
}

export function detailsOf(about, answer) {
  return [
    ...(answer.explanation ? explanationOf(about, answer) : []),
    element("details", {}, element("summary", {}, "All measured features"), featureTable(about, answer)),
  ];
}

// the scale, the interval and the score on it
function line(about, { score, low, high }) {
  const ends = [about.scale.low, about.scale.high].map((end) => element("span", {}, `${end}`));
  const track = element("div", { class: "track" });
  if (low !== null) track.append(placed(element("i"), share(about, low), share(about, high)));
  track.append(placed(element("b"), share(about, score)));
  return element("div", { class: "line", "aria-hidden": "true" }, ends[0], track, ends[1]);
}

function placed(mark, start, end = start) {
  mark.style.left = percent(start);
  mark.style.width = percent(end - start);
  return mark;
}

function regionRows(about, answer) {
  const regions = [...about.regions].sort((a, b) => b.weight - a.weight);
  return regions.map(({ name, colour, weight }) => {
    const score = answer.sub_scores[name];
    const bar = placed(element("i"), 0, share(about, score));
    bar.style.background = colour;
    return [named(about, name), figure(about, score), element("div", { class: "bar" }, bar), `${Math.round(100 * weight)} %`];
  });
}

function named(about, region) {
  const dot = element("span", { class: "dot" });
  dot.style.background = about.regions.find(({ name }) => name === region).colour;
  return element("span", { class: "region" }, dot, region);
}

function explanationOf(about, answer) {
  const regions = [...answer.explanation.regions].sort((a, b) => Math.abs(b.moved) - Math.abs(a.moved));
  const all = regions.flatMap((region) => [region, ...region.features, { moved: region.windows }]);
  const most = Math.max(...all.map(({ moved }) => Math.abs(moved)));
  const average = about.regions.reduce((sum, region) => sum + region.average, 0);
  return [
    element("h2", {}, "What moved the score"),
    element(
      "p",
      {},
      `A face that is the mean of the training photos has ${figure(about, average)} from model ${about.regions_of}. ` +
        `These points lead from there to its ${figure(about, answer.members[about.regions_of])} for this photo. ` +
        "sd: standard deviations of the training photos, from their mean.",
    ),
    table(
      "Points by region, and the measurements that moved it most",
      ["region and measurement", "points", ""],
      regions.flatMap((region) => [
        moveRow(about, element("strong", {}, named(about, region.name)), region.moved, most),
        ...furthest(region).map((feature) => moveRow(about, measurement(about, answer, feature), feature.moved, most)),
        ...(region.windows ? [moveRow(about, part("what the encoder sees"), region.windows, most)] : []),
      ]),
    ),
    table("How the score is made", ["", "score", "weight", "points"], sumRows(about, answer)),
  ];
}

const furthest = ({ features }) => [...features].sort((a, b) => Math.abs(b.moved) - Math.abs(a.moved)).slice(0, SHOWN);

function moveRow(about, label, moved, most) {
  const bar = placed(element("i"), 0.5 + Math.min(moved, 0) / most / 2, 0.5 + Math.max(moved, 0) / most / 2);
  return [label, points(about, moved), element("div", { class: "bar" }, bar)];
}

function measurement(about, answer, { name, z }) {
  const { summary, unit } = about.features.find((feature) => feature.name === name);
  const height = Number.isFinite(z) ? `, ${z < 0 ? "−" : "+"}${Math.abs(z).toFixed(1)} sd` : "";
  const value = element("span", { class: "faint" }, ` ${valueOf(answer, name, unit)}${height}`);
  return part(element("span", { class: "measurement", title: summary }, plain(name)), value);
}

const part = (...labels) => element("div", { class: "part" }, ...labels);

function valueOf(answer, name, unit) {
  const value = answer.features[name];
  return Number.isFinite(value) ? `${Number(value.toPrecision(3))} ${unit}` : "not measurable";
}

function sumRows(about, answer) {
  const { correction, bias } = answer.explanation;
  const rows = Object.entries(about.members).map(([name, weight]) => {
    const score = answer.members[name];
    return [`model ${name}`, figure(about, score), weight.toFixed(3), (weight * onScale(about, score)).toFixed(3)];
  });
  rows.push(["correction of the combiner", "", "", points(about, correction)]);
  if (bias) rows.push(["bias of the group, subtracted", "", "", points(about, -bias)]);
  return [...rows, [element("strong", {}, "score"), "", "", element("strong", {}, onScale(about, answer.score).toFixed(3))]];
}

function featureTable(about, answer) {
  const rows = about.features.map(({ name, summary, unit }) => [plain(name), valueOf(answer, name, unit), summary]);
  return table("Features", ["measurement", "value", "definition"], rows);
}

export function table(caption, heads, rows) {
  const head = (name) => (name ? element("th", { scope: "col" }, name) : element("td"));
  const content = element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...heads.map(head))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((value) => element("td", {}, value))))),
  );
  // the keyboard scrolls what has the focus
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, content);
}
