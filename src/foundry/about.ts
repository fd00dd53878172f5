/**
 * What plug-ins of the kernel say of themselves: the types of their `about`, and of the catalogue that the build makes
 * of them (catalogue.ts).
 */

/** How a table is known to be empty by a protocol that looks for empty ones; the position is the code, EMPTINESS_. */
export const EMPTINESS_MODES = ['scan', 'count'] as const;

/**
 * `nothing`; `whole`: PTE tables that are empty, where it zapped all that they map; `part`: those that are empty, where
 * it zapped but a part; `upper`: upper tables besides that have become empty so.
 */
export type Frees = 'nothing' | 'whole' | 'part' | 'upper';

/** What every plug-in says. */
export interface About {
  /** As on the command line and in files. */
  readonly name: string;
  /** One line for `ptlab list`. */
  readonly summary: string;
  /** The kernel's number for it; the foundry gives it. */
  readonly code: number;
  /** The one that a memory of zeros means. */
  readonly isBase?: boolean;
  /** The one that runs when none is chosen. */
  readonly isDefault?: boolean;
}

export interface LockAbout extends About {
  /** Where the holder's number + 1 stands: in LOCK_WORD, of which bit 31 is the kind's, or in LOCK_OWNER. */
  readonly owner: 'word' | 'owner';
  /** What tells that the lock is held: LOCK_WORD is not 0, LOCK_AUX is not 0, or the two differ. */
  readonly held: 'word' | 'aux' | 'difference';
}

export interface ProtocolAbout extends About {
  /** Among those that `ptlab demo` runs. */
  readonly demo?: boolean;
  /** Whether a daemon works for it (hook daemonPass): a machine then has a CPU for daemons, and rings of candidates. */
  readonly daemon?: boolean;
  /**
   * What PT_COUNT of a linked PTE table is, for the audit: its entries and its visitors. Without it the count is none
   * of the protocol's.
   */
  readonly tableCount?: 'visits';
  /** Ways in which it can know that a table is empty; default: scan. Tests and benches run each. */
  readonly emptiness?: readonly (typeof EMPTINESS_MODES)[number][];
  /**
   * What madvise(MADV_DONTNEED) has freed by the time it returns, at the defaults of all options. Conformance holds the
   * protocol to it, and where it is not told only to what holds for any: nothing goes that is needed, and no more than
   * `upper` says.
   */
  readonly frees?: Frees;
  /** Machine options that make another protocol of it, by a name: explored beside the defaults. */
  readonly also?: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;
  /**
   * Machine options that do not work with it: a machine with such a value does not boot, and says why and what is
   * allowed instead.
   */
  readonly refuses?: readonly {
    readonly option: string;
    readonly value: string | number | boolean;
    readonly reason: string;
  }[];
}

/** The hooks that a plug-in exports; does not compile where one has not its hook's type. */
export type Fits<
  Hooks,
  Plug extends { [K in keyof Plug]: K extends keyof Hooks ? Hooks[K] : unknown },
> = Pick<Plug, keyof Plug & keyof Hooks>;
