import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { CpuLink, serve } from '../../src/machine/control.ts';

const service = {
  add: (a: number, b: number): number => a + b,
  fail: (): never => {
    throw new RangeError('no');
  },
  never: (): Promise<void> => new Promise(() => {}),
};

describe('control', () => {
  const links: CpuLink<typeof service>[] = [];
  const connect = (): CpuLink<typeof service> => {
    const { port1, port2 } = new MessageChannel();
    serve(port2, service);
    const link = new CpuLink<typeof service>(port1);
    links.push(link);
    return link;
  };
  afterEach(() => {
    for (const link of links.splice(0)) link.end(new Error('done'));
  });

  it('calls and answers', async () => {
    await expect(connect().call((remote) => remote.add(2, 3))).resolves.toBe(5);
  });

  it('rejects with what the method throws', async () => {
    await expect(connect().call((remote) => remote.fail())).rejects.toThrow('no');
  });

  it('rejects what is under way, and every later call, when the CPU ends', async () => {
    const link = connect();
    const waiting = link.call((remote) => remote.never());
    link.end(new Error('CPU gone'));
    await expect(waiting).rejects.toThrow('CPU gone');
    await expect(link.call((remote) => remote.add(1, 1))).rejects.toThrow('CPU gone');
  });
});
