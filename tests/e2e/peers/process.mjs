// A foreign program, started for a scenario and ended with it.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class Program {
  /** Starts `command`; its output is kept for when a scenario fails. */
  constructor(command, args, options = {}) {
    this.name = command.split('/').pop();
    this.output = '';
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    running.add(this.child);
    this.child.on('exit', () => running.delete(this.child));
    this.exited = new Promise((resolve) => {
      this.child.on('exit', (code, signal) => resolve({ code, signal }));
      this.child.on('error', (error) => {
        this.output += String(error);
        resolve({ code: 127 });
      });
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on('data', (data) => (this.output = (this.output + data).slice(-400_000)));
    }
  }

  get running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits until the output has the pattern; the match. */
  async says(pattern, { within = 10_000, from = 0 } = {}) {
    return until(() => this.output.slice(from).match(pattern), `${this.name} to say ${pattern}`, {
      within,
      also: () => (this.running ? '' : ` (it has ended)`) + `\n${this.output.slice(-2000)}`,
    });
  }

  /** Waits until the port is taken: a try of our own could get in the way of the program's. */
  async bound(port, transport = 'udp') {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    const taken = () => readFileSync(`/proc/net/${transport}`, 'latin1').split('\n').some((line) => line.trim().split(/\s+/)[1]?.endsWith(`:${hex}`));
    await until(() => taken() || !this.running, `${this.name} to listen on ${port}`, { also: () => `\n${this.output.slice(-2000)}` });
    if (!this.running) throw new Error(`${this.name} did not start:\n${this.output}`);
  }

  async stop(signal = 'SIGTERM', within = 5000) {
    if (!this.running) return this.exited;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), within);
    const end = await this.exited;
    clearTimeout(timer);
    return end;
  }
}

/** Polls until `probe` gives something true, and gives that back. */
export async function until(probe, what, { within = 10_000, every = 50, also = () => '' } = {}) {
  const deadline = Date.now() + within;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${within / 1000} s for ${what}${also()}`);
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether something numbered is this process's from here on: files of scenarios are played beside each other. */
function claims(what, number) {
  return new Promise((resolve) => {
    // A name that the system forgets with the process.
    const held = createServer().once('error', () => resolve(false));
    held.listen(`\0ringback-e2e-${what}-${number}`, () => resolve(true)).unref();
  });
}

/**
 * A port of 127.0.0.1 that is free now for both UDP and TCP, below the system's own choice so that no outgoing connection takes it,
 * and never given twice. The three after it are left to the same program.
 */
export async function freePort() {
  for (;;) {
    const port = 10000 + 4 * Math.floor(Math.random() * 2500);
    if (!(await claims('port', port))) continue;
    if ((await opens(createServer(), 'listen', port)) && (await opens(createSocket('udp4'), 'bind', port))) return port;
  }
}

/** The first of two hundred ports for a server's sound. */
export async function freeRange() {
  for (;;) {
    const range = Math.floor(Math.random() * 50);
    if (await claims('range', range)) return 20000 + 200 * range;
  }
}

const opens = (socket, how, port) =>
  new Promise((resolve) => {
    socket.once('error', () => resolve(false));
    socket[how](port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
