// The page of `modmem report` in a real browser: all views are there, nothing is said on the
// console, nothing is asked of the network, the keyboard reaches and moves everything, and both
// colour schemes are readable.
//
//   node test/page_test.mjs PAGE.html [--screenshots DIR] [--browser PATH]
//
// The page has two traces, several policies, failures and leaks: test/make_page.sh makes one.
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import puppeteer from "puppeteer-core";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    screenshots: { type: "string" },
    browser: { type: "string", default: "/usr/bin/chromium" },
  },
});
const page_file = positionals[0];
assert(page_file !== undefined && existsSync(page_file), "usage: page_test.mjs PAGE.html");
if (values.screenshots !== undefined) {
  mkdirSync(values.screenshots, { recursive: true });
}

const browser = await puppeteer.launch({
  executablePath: values.browser,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
});

async function open(scheme = "light", width = 1280) {
  const page = await browser.newPage();
  const said = [];
  const asked = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:") && !request.url().startsWith("data:")) {
      asked.push(request.url());
    }
  });
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(pathToFileURL(path.resolve(page_file)).href);
  await page.waitForSelector("#leaks");
  return { page, said, asked };
}

const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
const screenshot = async (page, name) => {
  if (values.screenshots !== undefined) {
    await page.screenshot({ path: path.join(values.screenshots, `${name}.png`), fullPage: true });
  }
};
// How many different colours a canvas has: one that is blank has one or two.
const colors = (page, selector) =>
  page.$eval(selector, (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let at = 0; at < data.length; at += 4) {
      seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    }
    return seen.size;
  });
// The contrast of what is written on what is behind it, by the formula of WCAG 2.
const contrast = (page, selector) =>
  page.$eval(selector, (element) => {
    const luminance = (color) => {
      const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map((part) => {
        const share = Number(part) / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let behind = element;
    while (/rgba\(.*, 0\)/.test(getComputedStyle(behind).backgroundColor)) {
      behind = behind.parentElement;
    }
    const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element.id || element.dataset.frame || element.className || element.textContent;
  });

const tests = {
  async "all views render and nothing is complained of"() {
    const { page, said, asked } = await open();
    for (const id of ["timeline", "pages", "policies", "owners", "sites", "failures", "leaks"]) {
      assert.ok(await page.$(`#${id} h2`), id);
    }
    assert.equal(await page.$$eval("#timeline .uplot canvas", (found) => found.length), 2);
    for (const selector of ["#timeline .plot:nth-of-type(1) canvas", "#timeline .plot:nth-of-type(2) canvas"]) {
      assert.ok((await colors(page, selector)) > 4, selector);
    }
    assert.ok((await colors(page, ".bank-map")) > 4, "bank map");
    assert.ok((await page.$$("#pages .cell.taken")).length > 3);
    assert.ok((await page.$$("#timeline .legend li")).length > 2);
    assert.match(await text(page, "#timeline .readout"), /live, .* mapped, \d+ banks? on/);
    assert.deepEqual(said, []);
    assert.deepEqual(asked, []);
    await screenshot(page, "light");
    await page.close();
  },

  async "tables agree with the data"() {
    const { page } = await open();
    const data = JSON.parse(await text(page, "#data"));
    const run = data.traces[0].runs[0];
    const rows = await page.$$eval("#owners tbody tr", (found) => found.length);
    assert.equal(rows, Math.min(run.owners.length, 25));
    const disguised = run.sites.rows.filter((row) => row.disguised > 0).length;
    assert.ok(disguised > 0);
    await page.$$eval("#sites .more:not([hidden])", (found) => found.forEach((button) => button.click()));
    assert.equal(await page.$$eval("#sites .badge", (found) => found.length), disguised);
    assert.ok(data.traces[0].runs.length > 1);
    assert.equal(await page.$$eval("#policies thead th", (found) => found.length), data.traces[0].runs.length);
    await page.close();
  },

  async "failures are explained under the policy that has them"() {
    const { page, said } = await open();
    const data = JSON.parse(await text(page, "#data"));
    const failing = data.traces[0].runs.findIndex((run) => run.figures.failures > 0);
    assert.ok(failing >= 0, "the page has no failures");
    await page.select("#policy", String(failing));
    const run = data.traces[0].runs[failing];
    assert.equal((await page.$$("#failures li")).length, run.failures.length);
    assert.match(await text(page, "#failures details[open]"), /Why: .*would still have succeeded/);
    await page.click("#failures details[open] button");
    assert.match(await text(page, "#timeline .readout"), /failed/);
    assert.deepEqual(said, []);
    await screenshot(page, "failures");
    await page.close();
  },

  async "names are text, whatever they hold"() {
    const { page, said } = await open();
    await page.select("#trace", "1");
    assert.match(await text(page, "#sites"), /"a" & b&amp;/);
    assert.match(await text(page, "#owners"), /<\/script><script>alert\(1\)<\/script>/);
    assert.match(await text(page, "#owners"), /"quoted" & <b>bold<\/b>/);
    assert.equal(await page.$("#owners td b"), null);
    assert.match(await text(page, "#timeline .legend"), /"quoted" & <b>bold<\/b>/);
    assert.match(await text(page, "#leaks"), /live at the end of the trace/);
    assert.deepEqual(said, []);
    await screenshot(page, "small");
    await page.close();
  },

  async "a trace of nothing is shown as that"() {
    const { page, said } = await open();
    await page.select("#trace", "2");
    assert.match(await text(page, ".about"), /empty.csv: 0 events/);
    assert.match(await text(page, "#leaks"), /Nothing lives at the end/);
    await page.focus("#time-cursor");
    await page.keyboard.press("ArrowRight");
    await page.select("#trace", "0");
    assert.ok((await colors(page, ".bank-map")) > 4);
    assert.deepEqual(said, []);
    await page.close();
  },

  async "a recording shows owners as a tree, and what pipelines did"() {
    const { page, said } = await open();
    await page.select("#trace", "3");
    assert.match(await text(page, ".about"), /call: .*policy elastic .*Everything is as it was recorded/);
    assert.ok((await colors(page, ".pipeline-map")) > 3, "pipeline map");
    assert.match(await text(page, "#timeline .pipeline-text"), /Pipelines: \d+ (reset|paused|running)/);
    assert.match(await text(page, "#timeline .legend"), /pipeline\.\d+/);
    const heads = await page.$$eval("#owners thead th", (found) => found.map((head) => head.textContent));
    assert.deepEqual(heads.slice(0, 3), ["owner", "what", "peak with all in it"]);
    assert.match(await text(page, "#owners"), /module in pipeline\.\d+/);
    const room = await page.$$eval("#owners td:nth-child(2)", (found) => Math.min(...found.map((cell) => cell.clientWidth)));
    assert.ok(room > 100, `too narrow for words: ${room}`);
    const blocks = await page.$$eval("#page-detail li", (found) => found.map((block) => block.textContent));
    assert.ok(blocks.some((block) => /pipeline\.\d+ \/ /.test(block)), `${blocks}`);
    assert.equal(await page.$(".problems"), null);
    await page.select("#policy", "1");
    assert.match(await text(page, ".about"), /recorded under policy elastic/);
    assert.deepEqual(said, []);
    await page.select("#policy", "0");
    await screenshot(page, "recording");
    await page.close();
  },

  async "what a recording lacks is said and marked"() {
    const { page, said } = await open();
    await page.select("#trace", "4");
    assert.match(await text(page, ".problems"), /core-0: at byte \d+: the packet is cut off/);
    assert.match(await text(page, ".cards"), /Lost events[\d,]+/);
    assert.match(await text(page, "#timeline"), /the trace lacks events/);
    const data = JSON.parse(await text(page, "#data"));
    const bucket = data.traces[4].runs[0].timeline.lost.findIndex((lost) => lost > 0);
    await page.focus("#time-cursor");
    await page.keyboard.press("Home");
    for (let step = 0; step < bucket; ++step) {
      await page.keyboard.press("ArrowRight");
    }
    assert.match(await text(page, "#timeline .readout"), /[\d,]+ events lost/);
    assert.deepEqual(said, []);
    await screenshot(page, "damaged");
    await page.close();
  },

  async "arrow keys move the chosen moment, and the page map follows"() {
    const { page, said } = await open();
    await page.focus("#time-cursor");
    const now = () => page.$eval("#time-cursor", (slider) => Number(slider.getAttribute("aria-valuenow")));
    await page.keyboard.press("Home");
    assert.equal(await now(), 0);
    const first = await text(page, "#pages .readout");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await now(), 1);
    await page.keyboard.press("PageUp");
    assert.ok((await now()) > 10);
    await page.keyboard.press("End");
    const last = await page.$eval("#time-cursor", (slider) => Number(slider.getAttribute("aria-valuemax")));
    assert.equal(await now(), last);
    assert.notEqual(await text(page, "#pages .readout"), first);
    assert.match(await text(page, "#timeline .bank-text"), /^On, with frames taken at most: bank \d+ \d+ of 32/);
    assert.match(await page.$eval("#time-cursor", (slider) => slider.getAttribute("aria-valuetext")), /mapped/);
    assert.deepEqual(said, []);
    await page.close();
  },

  async "arrow keys walk over frames and show their blocks"() {
    const { page } = await open();
    await page.focus('#pages .cell[tabindex="0"]');
    const before = await text(page, "#page-detail");
    const frame = Number(await focused(page) && (await page.evaluate(() => document.activeElement.dataset.frame)));
    await page.keyboard.press("ArrowRight");
    assert.equal(Number(await page.evaluate(() => document.activeElement.dataset.frame)), frame + 1);
    assert.notEqual(await text(page, "#page-detail"), before);
    assert.equal((await page.$$('#pages .cell[tabindex="0"]')).length, 1);
    await page.hover("#pages .cell.taken");
    assert.match(await text(page, "#page-detail"), /of 4,096 B in/);
    await page.close();
  },

  async "a block is listed in every page that it lies in"() {
    const { page } = await open();
    const data = JSON.parse(await text(page, "#data"));
    const { moments, sites } = data.traces[0].runs[0];
    const index = moments.findIndex((moment) => moment.blocks.some((block) => block[2] >= 3 * 4096));
    assert.ok(index >= 0);
    const block = moments[index].blocks.find((candidate) => candidate[2] >= 3 * 4096);
    await page.select("#moment", String(index));
    for (const number of [block[0], block[0] + 1, block[0] + 2]) {
      const [frame] = moments[index].pages.find((entry) => entry[1] === number);
      await page.$eval(`.cell[data-frame="${frame}"]`, (cell) => cell.focus());
      assert.ok((await text(page, "#page-detail")).includes(sites.names[block[5]]), `page ${number}`);
    }
    await page.close();
  },

  async "tables are sorted by the keyboard"() {
    const { page } = await open();
    const column = () => page.$$eval("#sites tbody tr td:nth-child(5)", (cells) => cells.map((cell) => Number(cell.textContent.replaceAll(",", ""))));
    await page.focus("#sites thead th:nth-child(5) button");
    await page.keyboard.press("Enter");
    assert.equal(await page.$eval("#sites thead th:nth-child(5)", (head) => head.getAttribute("aria-sort")), "descending");
    let values = await column();
    assert.deepEqual(values, [...values].sort((a, b) => b - a));
    await page.keyboard.press("Space");
    assert.equal(await page.$eval("#sites thead th:nth-child(5)", (head) => head.getAttribute("aria-sort")), "ascending");
    values = await column();
    assert.deepEqual(values, [...values].sort((a, b) => a - b));
    await page.close();
  },

  async "Tab goes through everything in the order of the page"() {
    const { page } = await open();
    const seen = [];
    for (let step = 0; step < 22; ++step) {
      await page.keyboard.press("Tab");
      seen.push(await focused(page));
      const visible = await page.evaluate(() => document.activeElement.getBoundingClientRect().height > 0);
      assert.ok(visible, seen[seen.length - 1]);
    }
    const order = ["skip", "trace", "policy", "axis", "theme", "Timeline", "time-cursor", "moment"];
    const places = order.map((name) => seen.indexOf(name));
    assert.ok(places.every((place) => place >= 0), `${order} in ${seen}`);
    assert.deepEqual(places, [...places].sort((a, b) => a - b));
    await page.close();
  },

  async "everything that takes the focus or shows a picture has a name"() {
    const { page } = await open();
    const nameless = await page.$$eval("button, select, [tabindex]:not(main), [role=img], a", (elements) =>
      elements
        .filter((element) => !element.hidden)
        .filter((element) => !(element.textContent.trim() || element.getAttribute("aria-label") || element.labels?.length))
        .map((element) => element.outerHTML.slice(0, 120)),
    );
    assert.deepEqual(nameless, []);
    await page.close();
  },

  async "both colour schemes are readable, and the switch wins over the system"() {
    const backs = {};
    for (const [scheme, choice] of [["light", "auto"], ["dark", "auto"], ["light", "dark"], ["dark", "light"]]) {
      const { page, said } = await open(scheme);
      await page.select("#theme", choice);
      for (const selector of ["body", ".hint", ".card dt", ".card.good dd, .card.bad dd", "a[href='#pages']", ".badge", ".bank-name", "th button"]) {
        assert.ok((await contrast(page, selector)) >= 4.5, `${scheme} ${choice}: ${selector}: ${await contrast(page, selector)}`);
      }
      backs[`${scheme} ${choice}`] = await page.$eval("body", (body) => getComputedStyle(body).backgroundColor);
      assert.deepEqual(said, []);
      if (scheme === "dark" && choice === "auto") {
        await screenshot(page, "dark");
      }
      await page.select("#theme", "auto");
      await page.close();
    }
    assert.equal(backs["dark auto"], backs["light dark"]);
    assert.equal(backs["light auto"], backs["dark light"]);
    assert.notEqual(backs["light auto"], backs["dark auto"]);
  },

  async "the axis can be time"() {
    const { page, said } = await open();
    await page.select("#axis", "time");
    assert.ok((await colors(page, ".bank-map")) > 4);
    await page.focus("#time-cursor");
    await page.keyboard.press("End");
    assert.match(await text(page, "#timeline .readout"), /\d+:\d\d:\d\d to/);
    assert.deepEqual(said, []);
    await screenshot(page, "time");
    await page.close();
  },

  async "nothing is wider than a narrow screen"() {
    for (const room of [420, 340]) {
      const { page } = await open("light", room);
      for (const trace of ["0", "3"]) {
        await page.select("#trace", trace);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= room, `${width} > ${room}`);
      }
      await screenshot(page, `narrow-${room}`);
      await page.close();
    }
  },
};

let failed = 0;
try {
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok      ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
} finally {
  await browser.close();
}
process.exit(failed === 0 ? 0 : 1);
