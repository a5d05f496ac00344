// What the server's own voice said, read back from what was heard: the committed prompts are looked for, sample by sample.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readWav } from './tone.mjs';

const prompt = (language, name) => readWav(readFileSync(new URL(`../../web/prompts/${language}/${name}.wav`, import.meta.url))).channels[0];

/** How alike two stretches are, up to loudness: 1 = the same. */
function alike(heard, at, known, length = known.length) {
  let [product, mine, theirs] = [0, 0, 0];
  for (let i = 0; i < length; i += 1) {
    const sample = heard[at + i] ?? 0;
    product += sample * known[i];
    mine += sample * sample;
    theirs += known[i] * known[i];
  }
  return product / Math.max(1e-9, Math.sqrt(mine * theirs));
}

/** Where a prompt begins in what was heard; -1: nowhere. Half a second of it is looked for. */
function place(heard, known) {
  const piece = known.subarray(1600, 5600);
  for (let at = 0; at + piece.length < heard.length; at += 1) {
    // Most places are told by a few samples.
    if (alike(heard, at, piece, 80) > 0.9 && alike(heard, at, piece) > 0.95) return at - 1600;
  }
  return -1;
}

/** The digits that were said after a prompt; as many as asked for, or null when not all of it was heard yet. */
export function digitsAfter(heard, language, name, count) {
  const intro = prompt(language, name);
  let at = place(heard, intro);
  if (at < 0) return null;
  at += intro.length;
  const words = Array.from({ length: 10 }, (_, digit) => prompt(language, `digits_${digit}`));
  let said = '';
  while (said.length < count) {
    if (at + Math.max(...words.map(({ length }) => length)) > heard.length) return null;
    const scores = words.map((word, digit) => ({ digit, score: alike(heard, at, word) })).sort((a, b) => b.score - a.score);
    const [best, next] = scores;
    assert.ok(best.score > 0.95 && next.score < 0.7, `digit ${said.length + 1} is none of ours: ${JSON.stringify(scores.slice(0, 2))}`);
    said += best.digit;
    at += words[best.digit].length;
  }
  return said;
}
