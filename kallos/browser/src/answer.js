// An answer as parts of the page.

export function element(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// figures on the raters' own scale
export function onScale(about, score) {
  const { low, high } = about.scale;
  const share = (score - about.model_scale.low) / (about.model_scale.high - about.model_scale.low);
  return low + share * (high - low);
}

const figure = (about, score) => onScale(about, score).toFixed(2);

export function answerOf(about, answer) {
  const interval =
    answer.low === null
      ? "no 90 % interval"
      : `90 % interval ${figure(about, answer.low)} to ${figure(about, answer.high)}, for photos like the training photos`;
  const warnings = [...answer.notes, ...about.doubts].map((note) => element("li", {}, note));
  return [
    element("h2", {}, `${figure(about, answer.score)} on ${about.scale.words}`),
    element("p", {}, interval),
    ...(warnings.length ? [element("ul", { class: "warnings" }, ...warnings)] : []),
    table("Sub-scores by region", ["region", "sub-score", "weight"], regionRows(about, answer)),
    table("Models", ["model", "score"], Object.entries(answer.members).map(([name, score]) => [name, figure(about, score)])),
    element("details", {}, element("summary", {}, "Measured features"), featureTable(about, answer)),
    element("p", { class: "faint" }, `${about.source}. ${about.meaning}`),
  ];
}

function regionRows(about, answer) {
  const regions = [...about.regions].sort((a, b) => b.weight - a.weight);
  return regions.map(({ name, colour, weight }) => {
    const score = answer.sub_scores[name];
    const bar = element("meter", { min: about.model_scale.low, max: about.model_scale.high, value: score });
    bar.setAttribute("aria-label", `${name}: ${figure(about, score)}`);
    const dot = element("span", { class: "dot" });
    dot.style.background = colour;
    return [element("span", {}, dot, name), element("span", {}, figure(about, score), " ", bar), `${Math.round(100 * weight)} %`];
  });
}

function featureTable(about, answer) {
  const rows = about.features.map(({ name, summary, unit }) => {
    const value = answer.features[name];
    return [element("span", { title: summary }, name), Number.isFinite(value) ? value.toPrecision(4) : "not measurable", unit];
  });
  return table("Features", ["feature", "value", "unit"], rows);
}

export function table(caption, heads, rows) {
  const cells = (tag, values) => values.map((value) => element(tag, tag === "th" ? { scope: "col" } : {}, value));
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...cells("th", heads))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))),
  );
}
