/** The reclaim protocols as users choose them: what the files of `src/kernel/protocols/` say of themselves. */
import type { ProtocolAbout } from '../foundry/about.ts';
import { PROTOCOL_LIST } from '../foundry/catalogue.ts';

export { PROTOCOL_LIST };

export type Protocol = keyof typeof PROTOCOL_LIST;
/** In the order of lists: the base, the default, then by name. */
export const PROTOCOLS = Object.keys(PROTOCOL_LIST) as Protocol[];

/** What a protocol says of itself. */
export function aboutProtocol(name: Protocol): ProtocolAbout {
  return PROTOCOL_LIST[name];
}

/** The one that runs when none is chosen. */
export const DEFAULT_PROTOCOL: Protocol = PROTOCOLS.find((name) => aboutProtocol(name).isDefault)!;

/** Codes by name. */
export const PROTOCOL_CODES = Object.fromEntries(
  PROTOCOLS.map((name) => [name, aboutProtocol(name).code]),
) as Readonly<Record<Protocol, number>>;
