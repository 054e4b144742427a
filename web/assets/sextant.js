// Keeps the overview current. The server sends each changed part as an event named after its element; the parts
// are merged into the page, so focus, open menus, scroll positions and text selections survive.
"use strict";
(() => {
  const PARTS = ["storage", "posture", "headline", "map", "services", "plan", "timeline", "probes", "mesh", "demo"];
  const STALE_MS = 10_000;

  const byId = (id) => document.getElementById(id);
  const live = byId("live");
  if (!live || !window.EventSource) return;
  live.hidden = false;

  let source = null;
  let heard = performance.now(); // when the server last said anything
  let skew = 0; // the board's clock minus ours, ms
  let trouble = "";
  let paused = false;
  let settled = false; // whether the first full state was merged; only what comes later is news

  // --- ages -------------------------------------------------------------------------------------------------

  // The same words as format.rs.
  function age(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 86400) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} d`;
  }

  function writeAge(time) {
    const text = age(Date.now() + skew - Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }

  // --- merging ----------------------------------------------------------------------------------------------

  const isAge = (node) => node.nodeName === "TIME" && node.classList.contains("age");
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  function mergeAttributes(have, want) {
    for (const { name } of [...have.attributes]) {
      // Whether a detail is open is the reader's business.
      if (!want.hasAttribute(name) && !(name === "open" && have.nodeName === "DETAILS")) have.removeAttribute(name);
    }
    for (const { name, value } of want.attributes) {
      if (have.getAttribute(name) !== value) have.setAttribute(name, value);
    }
  }

  function mergeNode(have, want) {
    if (have.nodeType !== Node.ELEMENT_NODE) {
      if (have.data !== want.data) have.data = want.data;
      return;
    }
    mergeAttributes(have, want);
    if (isAge(have)) writeAge(have);
    else mergeChildren(have, want);
  }

  function mergeChildren(have, want) {
    const named = new Map();
    for (const child of have.children) if (child.id) named.set(child.id, child);
    let next = have.firstChild;
    for (const child of [...want.childNodes]) {
      const known = child.id && named.get(child.id);
      if (known && known !== next && alike(known, child)) {
        have.insertBefore(known, next);
        mergeNode(known, child);
      } else if (next && alike(next, child)) {
        const current = next;
        next = next.nextSibling;
        mergeNode(current, child);
      } else {
        have.insertBefore(child, next);
        if (child.nodeType === Node.ELEMENT_NODE) {
          if (settled) child.classList.add("fresh");
          child.querySelectorAll("time.age").forEach(writeAge);
        }
      }
    }
    while (next) {
      const old = next;
      next = next.nextSibling;
      old.remove();
    }
  }

  function merge(id, html) {
    const element = byId(id);
    if (!element) return;
    const template = document.createElement("template");
    template.innerHTML = html;
    const before = summary();
    mergeChildren(element, template.content);
    if (id === "headline") announce(before);
  }

  // What the headline says, without its mark for old news.
  function summary() {
    const text = (name) => byId("headline").querySelector(name)?.textContent.trim() ?? "";
    return `${text(".word")}: ${text(".sentence")}`;
  }

  // One polite sentence for a change of the headline, and the tab's title for those who look elsewhere.
  function announce(before) {
    const text = summary();
    if (text === before) return;
    if (settled) byId("announce").textContent = text;
    writeTitle();
  }

  function writeTitle() {
    const title = `${document.body.classList.contains("old") ? "last known: " : ""}${summary()} · Sextant`;
    if (document.title !== title) document.title = title;
  }

  // --- the badge --------------------------------------------------------------------------------------------

  function showState() {
    const silent = performance.now() - heard;
    const open = source && source.readyState === EventSource.OPEN;
    const stale = silent > STALE_MS;
    const state = paused ? "paused" : trouble ? "trouble" : open && !stale ? "live" : "reconnecting";
    const words = { paused: "Paused", trouble: "No news", live: "Live", reconnecting: "Reconnecting…" };
    live.dataset.live = state;
    byId("live-word").textContent = words[state];
    byId("live-age").textContent = age(silent);
    const banner = byId("stale");
    let text = "";
    if (trouble && !paused) text = `The collector has nothing new: ${trouble}. What you see is old.`;
    else if (stale) text = `No update for ${age(silent)}: what you see is old.${paused ? " Updates are paused." : " Reconnecting."}`;
    banner.hidden = text === "";
    // Old news must not shine in the colours of news.
    document.body.classList.toggle("old", text !== "");
    writeTitle();
    if (banner.textContent !== text) banner.textContent = text;
  }

  function tick() {
    document.querySelectorAll("time.age").forEach(writeAge);
    showState();
  }

  // --- the stream -------------------------------------------------------------------------------------------

  function connect() {
    source = new EventSource("/events");
    for (const part of PARTS) {
      source.addEventListener(part, (event) => {
        heard = performance.now();
        merge(part, event.data);
      });
    }
    source.addEventListener("pulse", (event) => {
      heard = performance.now();
      trouble = "";
      skew = Date.parse(event.data) - Date.now();
      settled = true;
      tick();
    });
    source.addEventListener("trouble", (event) => {
      heard = performance.now();
      trouble = event.data;
      showState();
    });
    source.onopen = showState;
    source.onerror = () => {
      // A refused connection is not retried by the browser.
      if (source.readyState === EventSource.CLOSED && !paused) setTimeout(reconnect, 2000);
      showState();
    };
  }

  function reconnect() {
    if (paused) return;
    source?.close();
    connect();
  }

  const pause = byId("pause");
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Resume" : "Pause";
    if (paused) source?.close();
    else reconnect();
    showState();
  });

  // --- the demo's buttons -----------------------------------------------------------------------------------

  let busy = false;
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.demo) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    const result = byId("demo-result");
    result.dataset.state = "busy";
    result.textContent = `${form.dataset.demo}…`;
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
      });
      const type = answer.headers.get("content-type") ?? "";
      const text = type.includes("json") ? (await answer.json()).message : `The server answered ${answer.status}.`;
      result.dataset.state = answer.ok ? "done" : "failed";
      result.textContent = text;
    } catch {
      result.dataset.state = "failed";
      result.textContent = "The server did not answer; nothing may have happened.";
    } finally {
      busy = false;
    }
  });

  connect();
  setInterval(tick, 1000);
  tick();
})();
