/** The reverse mapping: lists of VMAs of anon_vmas and of inodes hold exactly the VMAs that they must. */
import * as layout from '../../kernel/abi.ts';
import { hex, type Ledger } from './ledger.ts';

/** Follows the chains of the VMA at `vma`, newest first; gives the anon_vmas in whose lists it is. */
export function auditChains(ledger: Ledger, vma: number, name: string): Set<number> {
  const anonVmas = new Set<number>();
  let newer = 0;
  for (let chain = ledger.at(vma + layout.VMA_CHAIN); chain !== 0;) {
    const { chains } = ledger;
    if (!inRegion(ledger, chain, layout.H_CHAIN_BASE, layout.H_CHAINS, layout.CHAIN_SHIFT)) {
      ledger.find('accounting', vma, `${name}: ${hex(chain)} is no anon_vma_chain`);
      break;
    }
    if (chains.has(chain)) {
      ledger.find('accounting', chain, `${name}: chain ${hex(chain)} belongs to another VMA, too`);
      break;
    }
    const anon = ledger.at(chain + layout.AVC_ANON);
    chains.set(chain, anon);
    anonVmas.add(anon);
    ledger.equal(chain, `${name}: VMA of chain ${hex(chain)}`, ledger.at(chain), vma);
    ledger.equal(chain, `${name}: newer chain`, ledger.at(chain + layout.AVC_NEWER), newer);
    newer = chain;
    chain = ledger.at(chain + layout.AVC_OLDER);
  }
  const oldest = ledger.at(vma + layout.VMA_CHAIN_OLDEST);
  ledger.equal(vma, `${name}: oldest chain`, oldest, newer);
  const anon = ledger.at(vma + layout.VMA_ANON);
  if (anon !== 0) ledger.activeVmas.set(anon, (ledger.activeVmas.get(anon) ?? 0) + 1);
  if (anon !== 0 ? !anonVmas.has(anon) : anonVmas.size > 0)
    ledger.find(
      'accounting',
      vma,
      `${name}: anon_vma ${hex(anon)}, but it is in ${anonVmas.size} lists`,
    );
  return anonVmas;
}

function inRegion(
  ledger: Ledger,
  address: number,
  base: number,
  count: number,
  shift: number,
): boolean {
  const offset = address - ledger.at(base);
  return offset > 0 && offset < ledger.at(count) << shift && offset % (1 << shift) === 0;
}

/**
 * After all VMAs: every anon_vma that is in use lists the chains found, and its counts agree; free ones and free chains
 * add up.
 */
export function auditAnonVmas(ledger: Ledger): void {
  const base = ledger.at(layout.H_ANON_VMA_BASE);
  const used = ledger.at(layout.G_ANON_BUMP);
  const listed = new Map<number, number>();
  for (const anon of ledger.chains.values()) listed.set(anon, (listed.get(anon) ?? 0) + 1);
  const withRoot = new Map<number, number>();
  const children = new Map<number, number>();
  const live: number[] = [];
  for (let number = 1; number <= used; number++) {
    const anon = base + (number << layout.ANON_VMA_SHIFT);
    if (ledger.at(anon + layout.AV_REF) === 0) continue;
    live.push(anon);
    const root = ledger.at(anon + layout.AV_ROOT);
    const parent = ledger.at(anon + layout.AV_PARENT);
    if (root !== anon) withRoot.set(root, (withRoot.get(root) ?? 0) + 1);
    if (listed.has(anon)) children.set(parent, (children.get(parent) ?? 0) + 1);
  }
  for (const anon of live) {
    const name = `anon_vma ${(anon - base) >>> layout.ANON_VMA_SHIFT}`;
    let length = 0;
    let before = 0;
    for (let chain = ledger.at(anon + layout.AV_FIRST); chain !== 0;) {
      if (ledger.chains.get(chain) !== anon || length > ledger.chains.size) {
        ledger.find('accounting', anon, `${name}: lists ${hex(chain)}, which is no chain of a VMA`);
        break;
      }
      length++;
      ledger.equal(chain, `${name}: chain before`, ledger.at(chain + layout.AVC_PREV), before);
      before = chain;
      chain = ledger.at(chain + layout.AVC_NEXT);
    }
    const vmas = listed.get(anon) ?? 0;
    ledger.equal(anon, `${name}: VMAs in its list`, length, vmas);
    const references = (vmas > 0 ? 1 : 0) + (withRoot.get(anon) ?? 0);
    ledger.equal(anon, `${name}: references`, ledger.at(anon + layout.AV_REF), references);
    const active = ledger.at(anon + layout.AV_ACTIVE);
    ledger.equal(
      anon,
      `${name}: VMAs whose anon_vma it is`,
      active,
      ledger.activeVmas.get(anon) ?? 0,
    );
    const made = ledger.at(anon + layout.AV_CHILDREN);
    ledger.equal(anon, `${name}: children`, made, children.get(anon) ?? 0);
    const lock = ledger.at(anon + layout.AV_RWSEM + layout.RWSEM_STATE);
    if (lock !== 0) ledger.find('lock-order', anon, `${name}: its rwsem is held: ${hex(lock)}`);
  }
  const freeOf = (head: number, link: number): number => {
    let free = 0;
    for (let at = ledger.at(head); at !== 0 && free <= 1 << 24; at = ledger.at(at + link)) free++;
    return free;
  };
  const freeAnon = freeOf(layout.G_ANON_FREE, layout.AV_NEXT_FREE);
  ledger.equal(layout.G_ANON_FREE, 'anon_vmas in use', used - freeAnon, live.length);
  const chains = ledger.at(layout.G_CHAIN_BUMP) - freeOf(layout.G_CHAIN_FREE, layout.AVC_NEWER);
  ledger.equal(layout.G_CHAIN_FREE, 'anon_vma_chains in use', chains, ledger.chains.size);
}

/** After all VMAs: every inode lists the VMAs that map it, once each. */
export function auditFileMappings(ledger: Ledger): void {
  const inodes = ledger.at(layout.H_INODES);
  for (let i = 0; i < inodes; i++) {
    const inode = ledger.at(layout.H_INODE_BASE) + (i << layout.INODE_SHIFT);
    const seen = new Set<number>();
    let before = 0;
    for (let vma = ledger.at(inode + layout.INODE_MMAP_FIRST); vma !== 0;) {
      if (!ledger.vmas.has(vma) || seen.has(vma)) {
        ledger.find('accounting', inode, `inode ${i}: lists ${hex(vma)}, no VMA or listed before`);
        break;
      }
      seen.add(vma);
      ledger.equal(
        vma,
        `inode ${i}: inode of a VMA listed`,
        ledger.at(vma + layout.VMA_INODE),
        inode,
      );
      ledger.equal(vma, `inode ${i}: VMA before`, ledger.at(vma + layout.VMA_FILE_PREV), before);
      before = vma;
      vma = ledger.at(vma + layout.VMA_FILE_NEXT);
    }
    ledger.equal(inode, `inode ${i}: VMAs listed`, seen.size, ledger.inodeRefs.get(inode) ?? 0);
    for (const [word, what] of [
      [layout.INODE_MMAP + layout.RWSEM_STATE, 'i_mmap'],
      [layout.INODE_LOCK, 'its lock'],
    ] as const)
      if (ledger.at(inode + word) !== 0)
        ledger.find('lock-order', inode + word, `inode ${i}: ${what} is held`);
  }
}
