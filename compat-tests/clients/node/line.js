'use strict';
// The front of every Node program; they speak the same JSON lines as the Java programs: `PROGRAM serve` reads commands
// until its input ends and runs them side by side, `PROGRAM OP --name value ...` runs one; every answer line carries the
// command's id, the last one has "done" or "error".

const readline = require('readline');

// One request line, and the only way to answer it: `say` as often as wanted; the loop writes the end line.
class Command {
  constructor(fields) {
    Object.assign(this, { acks: 'all', codec: 'none' }, fields);
    this.left = Number(fields.count ?? Number.MAX_SAFE_INTEGER);
    this.topics = typeof fields.topics === 'string' ? fields.topics.split(',') : fields.topics;
    this.ended = new Promise(resolve => { this.stop = resolve; });
  }

  say(line) {
    process.stdout.write(JSON.stringify({ id: this.id, ...line }) + '\n');
  }

  // Waits until "count" records were said, the command's time is over or somebody stops it.
  async waitForEnd() {
    const timer = setTimeout(this.stop, Number(this.timeout ?? 10000));
    await this.ended;
    clearTimeout(timer);
  }

  // Says the record if one is still wanted; whether it did. After the last one is committed the program stops itself.
  take(record) {
    if (this.left <= 0) return false;
    this.left -= 1;
    this.say({ record: { ...record, receivedAt: Date.now() } });
    return true;
  }
}

async function perform(operations, command) {
  try {
    if (!operations[command.op]) throw new Error(`unknown op ${command.op}`);
    await operations[command.op](command);
    command.say({ done: true });
  } catch (error) {
    command.say({ error: String(error.message), kind: error.type || error.name, cause: error.cause ? String(error.cause.message) : null });
  }
}

async function serve(operations) {
  const running = new Map();
  const works = [];
  for await (const text of readline.createInterface({ input: process.stdin })) {
    const command = new Command(JSON.parse(text));
    if (command.op === 'stop') {
      running.get(command.target)?.stop();
      command.say({ done: true });
      continue;
    }
    running.set(command.id, command);
    works.push(perform(operations, command));
  }
  for (const command of running.values()) command.stop();
  await Promise.all(works);
}

async function once(operations, [op, ...words]) {
  const fields = { id: 0, op };
  for (let at = 0; at + 1 < words.length; at += 2) fields[words[at].replace(/^--/, '')] = words[at + 1];
  if (op === 'produce') {
    fields.records = [];
    for await (const text of readline.createInterface({ input: process.stdin })) fields.records.push(JSON.parse(text));
  }
  await perform(operations, new Command(fields));
}

exports.main = async operations => {
  const words = process.argv.slice(2);
  await (words.length === 0 || words[0] === 'serve' ? serve(operations) : once(operations, words));
  process.stdout.write('', () => process.exit(0)); // client libraries leave timers behind
};

exports.bytes = text => (text === null || text === undefined ? null : Buffer.from(text, 'base64'));
exports.base64 = bytes => (bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('base64'));
