import { readText } from './load.ts';
import { quote, TraceError } from './traceError.ts';

/*
 * What the real kernel said of a recorded program: a `.vmpte` file has a header, `# pid N ...`, and
 * samples of `seconds VmPTE_kB VmRSS_kB VmSize_kB threads`, on the recording's clock.
 */

export interface VmpteSample {
  timeS: number;
  vmpteKb: number;
  rssKb: number;
  sizeKb: number;
  threads: number;
}

export interface VmpteFile {
  file: string;
  /** Process that was watched, or null if the header does not say. */
  pid: number | null;
  /** In the order of their times. */
  samples: VmpteSample[];
}

/** A step function: from `timesS[i]` on the value is `vmpteKb[i]`. Times never go back. */
export interface VmpteSeries {
  timesS: ArrayLike<number>;
  vmpteKb: ArrayLike<number>;
}

/** A sample that no value within the window came near enough to. */
interface VmpteDisagreement {
  timeS: number;
  kernelKb: number;
  /** The nearest value within the window. */
  ptlabKb: number;
}

export interface VmpteComparison {
  /** Samples within the recording, all of them compared. */
  compared: number;
  agreeing: number;
  /** Samples before the recording's start or after its end. */
  outside: number;
  /** `agreeing` of `compared`; null where nothing was compared. */
  agreeingPercent: number | null;
  /** Largest differences first. */
  worst: VmpteDisagreement[];
}

interface CompareOptions {
  /** Samples outside are not compared. Default: the first to the last time of the series. */
  startS?: number;
  endS?: number;
  /** How far from a sample's time a value still counts, ms. Default 5. */
  windowMs?: number;
  /** How far from the sample a value may be: the larger of both. Defaults 16 kB and 1 %. */
  toleranceKb?: number;
  tolerancePercent?: number;
  /** How many disagreements to list. Default 5. */
  worst?: number;
}

const FORM = '"SECONDS VmPTE_kB VmRSS_kB VmSize_kB THREADS"';
const ROW = /^(\d+(?:\.\d+)?)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$/;

/** Reads a `.vmpte` file, plain or gzip. Throws a TraceError that names file and line. */
export function loadVmpte(file: string): VmpteFile {
  return parseVmpte(readText(file).toString('latin1'), file);
}

/** Parses the text of a `.vmpte` file. Throws a TraceError that names `file` and line. */
export function parseVmpte(text: string, file: string): VmpteFile {
  const samples: VmpteSample[] = [];
  let pid: number | null = null;
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!.trim();
    if (line === '') continue;
    if (line.startsWith('#')) {
      const header = /^# *pid +(\d+)/.exec(line);
      if (header !== null) pid = Number(header[1]);
      continue;
    }
    const row = ROW.exec(line);
    if (row === null) {
      throw new TraceError(file, index + 1, `not a sample: ${quote(line)}`, FORM);
    }
    const [timeS, vmpteKb, rssKb, sizeKb, threads] = row.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const before = samples.at(-1)?.timeS ?? -Infinity;
    if (timeS < before) {
      const problem = `time goes back from ${before.toFixed(6)} to ${timeS.toFixed(6)}`;
      throw new TraceError(file, index + 1, problem, 'samples in the order of their times');
    }
    samples.push({ timeS, vmpteKb, rssKb, sizeKb, threads });
  }
  if (samples.length === 0) throw new TraceError(file, null, 'no sample in the file', FORM);
  return { file, pid, samples };
}

/**
 * Holds the kernel's samples against a step function. A sample agrees if some value that the function
 * had within the window around the sample's time is within the tolerance of the sample.
 */
export function compareVmpte(
  series: VmpteSeries,
  samples: readonly VmpteSample[],
  options: CompareOptions = {},
): VmpteComparison {
  const { timesS, vmpteKb } = series;
  const count = timesS.length;
  const { startS = timesS[0] ?? 0, endS = timesS[count - 1] ?? 0 } = options;
  const { windowMs = 5, toleranceKb = 16, tolerancePercent = 1, worst = 5 } = options;
  const windowS = windowMs / 1000;
  const disagreements: VmpteDisagreement[] = [];
  let compared = 0;
  let outside = 0;
  let first = 0;
  for (const sample of samples) {
    if (count === 0 || sample.timeS < startS || sample.timeS > endS) {
      outside++;
      continue;
    }
    compared++;
    while (first + 1 < count && timesS[first + 1]! <= sample.timeS - windowS) first++;
    let nearest = vmpteKb[first]!;
    for (let i = first + 1; i < count && timesS[i]! <= sample.timeS + windowS; i++) {
      if (Math.abs(vmpteKb[i]! - sample.vmpteKb) < Math.abs(nearest - sample.vmpteKb)) {
        nearest = vmpteKb[i]!;
      }
    }
    const tolerance = Math.max(toleranceKb, (sample.vmpteKb * tolerancePercent) / 100);
    if (Math.abs(nearest - sample.vmpteKb) > tolerance) {
      disagreements.push({ timeS: sample.timeS, kernelKb: sample.vmpteKb, ptlabKb: nearest });
    }
  }
  const off = (one: VmpteDisagreement): number => Math.abs(one.ptlabKb - one.kernelKb);
  const agreeing = compared - disagreements.length;
  return {
    compared,
    agreeing,
    outside,
    agreeingPercent: compared === 0 ? null : (100 * agreeing) / compared,
    worst: disagreements.toSorted((a, b) => off(b) - off(a)).slice(0, worst),
  };
}
