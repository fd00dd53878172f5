import { type Setting, type Suite, openSuite, peer } from '../measurement.ts';

const rows = [
  'fault',
  'fault-zero-page',
  'fault-file',
  'zap-512',
  'zap-511',
  'reclaim',
  'touch-reclaim',
];

export const kernel: Suite = {
  name: 'kernel',
  title: 'fault, zap and reclaim; `linux` is the kernel under this machine, for scale',
  async open(setting: Setting) {
    return openSuite(
      rows.flatMap((what) => peer(setting, `kernel/${what}`, `${what}/linux`, what)),
    );
  },
};
