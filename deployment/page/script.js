"use strict";

// How the details of an answer are shown, by the name that its predictor gives in `view`; all others are shown as JSON.
const views = {
  labels(answer) {
    const ranked = Object.entries(answer.details.probabilities).sort((a, b) => b[1] - a[1]);
    return [headline(answer.prediction), bars(ranked), ...movedBy(answer)];
  },
  tags(answer) {
    const items = answer.details.words.map(({ word, tag }) => make("li", {}, word, make("small", {}, tag)));
    return [
      make("h3", {}, "Words and their tags"),
      items.length ? make("ol", { class: "words tags" }, ...items) : make("p", {}, "There are no words."),
      make("p", { class: "soft" }, `Probability per word: ${percent(answer.score)} (geometric mean).`),
    ];
  },
  texts(answer) {
    return [headline(answer.prediction || "(nothing)"), ...nBest(answer.details.n_best), ...attention(answer.details)];
  },
  captions(answer) {
    const shown = answer.details.grid ? looks(answer.details, answer.picture) : attention(answer.details);
    return [headline(answer.prediction || "(nothing)"), ...nBest(answer.details.n_best), ...shown];
  },
  forecast(answer) {
    const { times, channels } = answer.details;
    const whole = (time) => make("span", { class: "whole" }, time);
    const range = times.length > 1 ? [`${times.length} steps, `, whole(times[0]), " to ", whole(times.at(-1))] : ["1 step, ", whole(times[0])];
    const width = `Score: ${short(answer.score)}, minus the mean width of the widest band in standard deviations of the training data.`;
    return [headline("Forecast of ", ...range), ...channels.flatMap((name, place) => chart(channelOf(answer.details, place), name)),
      make("p", { class: "soft" }, width)];
  },
  steps(answer) {
    const items = answer.details.steps.map(({ token, answer: found, probability }) => make("li", {}, token || "(nothing)",
      make("small", {}, typeof found === "number" ? short(found) : found, probability === null ? "" : ` ${percent(probability)}`)));
    const meaning = answer.details.steps.some((step) => step.probability !== null) ? "its answer and the probability of it" : "the number it answers";
    return [headline(typeof answer.prediction === "number" ? short(answer.prediction) : answer.prediction),
      make("h3", {}, "Answers after every token"), make("ol", { class: "words tags" }, ...items),
      make("p", { class: "soft" }, `Below every token, what the model answers after it: ${meaning}. The last is the answer.`)];
  },
  plain(answer) {
    const shown = typeof answer.prediction === "string" ? answer.prediction : JSON.stringify(answer.prediction, null, 2);
    const details = Object.keys(answer.details).length
      ? [make("h3", {}, "Details"), make("pre", {}, JSON.stringify(answer.details, null, 2))]
      : [];
    return [make("pre", {}, shown), make("p", { class: "soft" }, `Score: ${answer.score.toFixed(4)}`), ...details];
  },
};

// An element with attributes and children; strings are text and never markup.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function headline(...content) {
  return make("p", { class: "answer" }, ...content);
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function signed(points) {
  const rounded = points.toFixed(1);
  return Number(rounded) > 0 ? `+${rounded}` : Number(rounded) < 0 ? rounded.replace("-", "−") : "0";
}

function bars(ranked) {
  const rows = ranked.map(([label, share]) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${100 * share}%`;
    return make("tr", {}, make("th", { scope: "row" }, label), make("td", { class: "track" }, bar),
      make("td", { class: "number" }, percent(share)));
  });
  return make("table", { class: "bars" }, make("caption", {}, "Probability of every label"), make("tbody", {}, ...rows));
}

// The text with every word on a colour as strong as its effect, and the effect in points below it.
function movedBy({ input, prediction, details }) {
  if (!details.words.length) return [];
  const largest = Math.max(0.05, ...details.words.map((word) => Math.abs(word.effect)));
  const characters = [...input]; // positions are of code points, as in Python
  const items = details.words.map(({ start, end, effect }) => {
    const share = Math.abs(effect) / largest;
    const kind = effect >= 0 ? "for" : "against";
    const item = make("li", { class: share > 0.5 ? `${kind} strong` : kind }, characters.slice(start, end).join(""),
      make("small", {}, signed(100 * effect)));
    item.style.setProperty("--strength", `${Math.round(85 * share)}%`);
    return item;
  });
  const by = details.method.charAt(0).toUpperCase() + details.method.slice(1);
  const meaning = `${by}: by how many points a word raises (blue, solid) or lowers (orange, dashed) the probability of ` +
    `“${prediction}”, compared with the text without it.`;
  return [make("h3", {}, "Words that moved the label"), make("ol", { class: "words" }, ...items),
    make("p", { class: "soft" }, meaning)];
}

function nBest(found) {
  const rows = found.map(({ text, score }, place) => make("tr", {}, make("td", { class: "number" }, String(place + 1)),
    make("td", {}, text || "(nothing)"), make("td", { class: "number" }, score.toFixed(3).replace("-", "−"))));
  const head = make("tr", {}, ...["rank", "text", "score"].map((name) => make("th", name === "text" ? { scope: "col" } : { scope: "col", class: "number" }, name)));
  return [make("table", { class: "list" }, make("caption", {}, "The best of the beam search. The score is the log-probability, divided by a power of the length."),
    make("thead", {}, head), make("tbody", {}, ...rows))];
}

// A table, so that it can be read aloud: one row for each generated piece, one column for each piece that was read.
function attention({ rows, columns, weights }) {
  if (!weights) return [];
  const shown = (piece) => piece.replaceAll("▁", "␣");
  const names = columns.map((piece) => make("th", { scope: "col" }, make("span", {}, shown(piece))));
  const lines = weights.map((line, place) => {
    const highest = Math.max(...line);
    const cells = line.map((weight) => {
      const cell = make("td", weight === highest ? { class: "high" } : {}, weight >= 0.005 ? weight.toFixed(2).replace("0.", ".") : "");
      cell.style.setProperty("--strength", `${Math.round(75 * weight)}%`);
      return cell;
    });
    return make("tr", {}, make("th", { scope: "row" }, shown(rows[place])), ...cells);
  });
  const table = make("table", { class: "map" }, make("thead", {}, make("tr", {}, make("td", {}), ...names)), make("tbody", {}, ...lines));
  const aligned = weights.map((line, place) => `${shown(rows[place])} to ${shown(columns[line.indexOf(Math.max(...line))])}`);
  return [
    make("h3", {}, "Attention map"),
    make("p", { class: "soft" }, "Rows are generated pieces, columns those that were read. A number is an attention weight; the highest of a row is framed. A wide map scrolls sideways."),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Attention map, scrolls sideways" }, table),
    make("details", {}, make("summary", {}, "In words"), make("p", { class: "soft" }, `Most attention of every piece: ${aligned.join("; ")}.`)),
  ];
}

// The image once for every generated piece, dark where the decoder does not attend; the words below say where it does.
function looks({ rows, grid, weights }, picture) {
  const items = weights.map((line, place) => {
    const highest = Math.max(...line), top = line.indexOf(highest);
    const veil = make("div", { class: "veil" }, ...line.map((weight) => {
      const cell = make("span", {});
      cell.style.setProperty("opacity", (0.75 * (1 - weight / (highest || 1))).toFixed(3));
      return cell;
    }));
    veil.style.setProperty("--columns", String(grid[1]));
    const image = picture ? [make("img", { src: picture, alt: "" })] : [];
    const where = `row ${Math.floor(top / grid[1]) + 1}, column ${(top % grid[1]) + 1}: ${highest.toFixed(2)}`;
    return make("li", {}, make("div", { class: "look", "aria-hidden": "true" }, ...image, veil),
      make("b", {}, rows[place].replaceAll("▁", "␣")), make("small", {}, where));
  });
  const meaning = `The part of the image that is read, once for every generated piece: bright where the decoder attends, dark where ` +
    `it does not. Below, the place of the ${grid[0]} x ${grid[1]} grid with the highest attention weight, and this weight.`;
  return [make("h3", {}, "Attention over the image"), make("p", { class: "soft" }, meaning), make("ol", { class: "looks" }, ...items)];
}

// What is known and forecast of one channel, as lists of numbers; null where a value is missing.
function channelOf({ channels, history, times, forecast, quantiles }, place) {
  const own = (rows) => (channels.length > 1 ? rows.map((row) => row[place]) : rows);
  const levels = Object.keys(quantiles).sort((a, b) => a - b);
  const bands = levels.slice(0, Math.floor(levels.length / 2)).map((low, from) => {
    const high = levels.at(-1 - from);
    return { share: Math.round(100 * (high - low)), low: own(quantiles[low]), high: own(quantiles[high]) };
  });
  return { past: history.values[place], pastTimes: history.times, median: own(forecast), times, bands };
}

// A chart of history, median and bands that stretches to its place; words stay as large as they are elsewhere, since they
// are not in the drawing. Its label and the table below it say the same in words.
function chart({ past, pastTimes, median, times, bands }, name) {
  const known = [...past, ...median, ...bands.flatMap(({ low, high }) => [...low, ...high])].filter((value) => value !== null);
  const lowest = Math.min(...known), range = Math.max(...known) - lowest || 1;
  const last = Math.max(1, past.length + median.length - 1), now = past.length - 1;
  const across = (step) => ((100 * step) / last).toFixed(2);
  const up = (value) => (100 * (value - lowest)) / range;
  const point = (step, value) => `${across(step)} ${(100 - up(value)).toFixed(2)}`;
  const joined = (values) => (now >= 0 && past[now] !== null ? [[now, past[now]], ...values.map((value, h) => [now + 1 + h, value])]
    : values.map((value, h) => [now + 1 + h, value]));
  const line = (points) => points.map(([step, value], place) => (value === null ? "" : `${place && points[place - 1][1] !== null ? "L" : "M"}${point(step, value)}`)).join("");
  const area = ({ low, high }) => `${line(joined(low))}L${joined(high).reverse().map(([step, value]) => point(step, value)).join("L")}Z`;
  const dots = (points) => points.filter(([, value]) => value !== null).map(([step, value]) => `M${point(step, value)}h0`).join("");
  const history = past.map((value, step) => [step, value]);
  const alone = history.filter(([step]) => (past[step - 1] ?? null) === null && (past[step + 1] ?? null) === null); // in no line
  const levels = ticks(lowest, lowest + range);
  const path = (kind, d) => draw("path", { class: kind, d, "vector-effect": "non-scaling-stroke" });
  const picture = draw("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" },
    path("grid", levels.map((value) => `M${point(0, value)}H100`).join("")),
    ...bands.map((band) => path("band", area(band))),
    path("now", `M${across(Math.max(0, now))} 0V100`),
    path("history", line(history)), path("history dots", dots(past.length < 40 ? history : alone)),
    path("median", line(joined(median))), path("median dots", dots(joined(median).slice(-median.length))));
  const labels = levels.map((value) => {
    const label = make("span", {}, short(value));
    label.style.setProperty("--up", `${up(value).toFixed(2)}%`);
    return label;
  });
  const summary = summaryOf({ past, pastTimes, median, times, bands }, name);
  const plot = make("div", { class: "chart", role: "img", "aria-label": summary }, make("div", { class: "levels" }, ...labels), picture,
    make("div", { class: "ends" }, make("span", {}, pastTimes[0] ?? times[0]), make("span", {}, times.at(-1))));
  const shaded = bands.length ? `; shaded: ${bands.map(({ share }) => `${share} %`).join(" and ")} band` : "";
  const key = `${channelTitle(name)}Thin line: history; thick line: median of the forecast${shaded}; dashed: the last known step${now >= 0 ? `, ${pastTimes[now]}` : ""}.`;
  return [make("figure", {}, plot, make("figcaption", { class: "soft" }, key)), numbersOf(median, times, bands, name)];
}

// Two to seven round numbers within a range: multiples of 1, 2 or 5 times a power of ten.
function ticks(low, high) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 4));
  const step = power * [1, 2, 5, 10].find((times) => (high - low) / (power * times) <= 6);
  const first = Math.ceil(low / step), count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

function channelTitle(name) {
  return name === "value" ? "" : `${name} – `;
}

function summaryOf({ past, pastTimes, median, times, bands }, name) {
  const known = past.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const history = `${channelTitle(name)}${past.length} known steps, ${pastTimes[0]} to ${pastTimes.at(-1)}, between ${short(low)} and ${short(high)}`;
  const band = bands.length ? `, in the ${bands[0].share} % band from ${short(bands[0].low.at(-1))} to ${short(bands[0].high.at(-1))}` : "";
  return `${known.length ? history : `${channelTitle(name)}no known value`}; then the forecast: ${short(median[0])} at ${times[0]}, ${short(median.at(-1))} at ${times.at(-1)}${band}.`;
}

function numbersOf(median, times, bands, name) {
  const columns = [["median", median], ...bands.flatMap(({ share, low, high }) => [[`${share} % from`, low], ["to", high]])];
  const head = make("tr", {}, make("th", { scope: "col" }, "time"), ...columns.map(([title]) => make("th", { scope: "col", class: "number" }, title)));
  const rows = times.map((time, step) => make("tr", {}, make("th", { scope: "row" }, time),
    ...columns.map(([, values]) => make("td", { class: "number" }, short(values[step])))));
  const table = make("table", { class: "list" }, make("thead", {}, head), make("tbody", {}, ...rows));
  const label = `${channelTitle(name)}forecast in numbers, scrolls sideways`;
  return make("details", {}, make("summary", {}, "In numbers"), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table));
}

// A number with four significant digits.
function short(value) {
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }).replace("-", "−");
}

// An element of SVG.
function draw(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function card(answer, facts) {
  const view = Object.hasOwn(views, answer.view) ? views[answer.view] : views.plain;
  const name = make("h2", {}, answer.model);
  const warnings = answer.warnings.map((text) => make("p", { class: "soft" }, `⚠ ${text}`));
  return make("article", { class: "card" }, name, make("p", { class: "soft" }, facts), ...warnings, ...view(answer));
}

const at = (id) => document.getElementById(id);
let models = [];
let current = null; // the request whose answer is awaited

async function json(path, options) {
  const response = await fetch(path, options);
  const content = await response.json().catch(() => ({ error: `The service answered with status ${response.status}.` }));
  if (!response.ok) throw new Error(content.error);
  return content;
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(new Error("The file cannot be read.")));
    reader.readAsDataURL(file);
  });
}

function chosen() {
  const boxes = [...document.querySelectorAll("#models input")];
  return boxes.filter((box) => box.checked).map((box) => box.value);
}

async function answer() {
  current?.abort();
  const request = (current = new AbortController());
  at("status").textContent = "Working …";
  at("error").hidden = true;
  try {
    const names = chosen();
    if (!names.length) throw new Error("Choose at least one model.");
    const [readers, texts] = [true, false].map((kind) => names.filter((name) => models.some((model) => model.reads_files === kind && model.name === name)));
    const unless = (those) => (readers.length && texts.length ? ` for ${those.join(", ")}, or untick ${those.length > 1 ? "them" : "it"}` : "");
    if (texts.length && !at("text").value.trim()) throw new Error(`Enter a text${unless(texts)}.`);
    if (readers.length && !at("file").files.length) throw new Error(`Choose a file${unless(readers)}.`);
    const picture = at("picture").hidden ? "" : at("picture").src;
    const body = JSON.stringify({
      ...(texts.length && { text: at("text").value }),
      ...(readers.length && { file: await base64(at("file").files[0]) }),
      models: names,
    });
    const headers = { "content-type": "application/json" };
    const { answers } = await json("api/explain", { method: "POST", headers, body, signal: request.signal });
    const facts = Object.fromEntries(models.map((model) => [model.name, [model.task, ...model.facts].join(" · ")]));
    at("answers").replaceChildren(...answers.map((one) => card({ ...one, picture }, facts[one.model])));
    at("status").textContent = answers.length === 1 ? "1 answer." : `${answers.length} answers.`;
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  }
}

function fail(error) {
  at("status").textContent = "";
  at("answers").replaceChildren();
  at("error").textContent = error instanceof TypeError ? "The service cannot be reached: is it still running?" : error.message;
  at("error").hidden = false;
}

// What inputs are like; where that is not the same for all models, it begins with the names of those that it is about.
function hintsOf(models) {
  const hints = [...new Set(models.map((model) => model.hint))];
  const about = (hint) => models.filter((model) => model.hint === hint).map((model) => model.name).join(", ");
  return hints.filter(Boolean).map((hint) => (hints.length > 1 ? `${about(hint)}: ${hint} ` : `${hint} `)).join("");
}

async function start() {
  try {
    const found = await json("api/models");
    models = found.models;
    at("text").maxLength = found.limits.characters;
    at("limit").textContent = `${hintsOf(models)}At most ${found.limits.characters.toLocaleString("en")} characters. `;
    for (const { name } of models) {
      const box = make("input", { type: "checkbox", value: name, checked: "" });
      at("models").append(make("label", {}, box, ` ${name}`));
    }
    at("models").hidden = models.length < 2;
    at("text-part").hidden = models.every((model) => model.reads_files);
    at("file-part").hidden = !models.some((model) => model.reads_files);
  } catch (error) {
    fail(error);
  }
}

at("form").addEventListener("submit", (event) => { event.preventDefault(); answer(); });
at("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); at("form").requestSubmit(); }
});
at("file").addEventListener("change", () => {
  const [file] = at("file").files;
  URL.revokeObjectURL(at("picture").src);
  at("picture").hidden = !file?.type.startsWith("image/");
  if (!at("picture").hidden) at("picture").src = URL.createObjectURL(file);
});
at("clear").addEventListener("click", () => {
  current?.abort();
  at("form").reset();
  at("file").dispatchEvent(new Event("change"));
  at("answers").replaceChildren();
  at("status").textContent = "";
  at("error").hidden = true;
  at("text").focus();
});
start();
