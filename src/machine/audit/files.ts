/** The page cache and the inodes. */
import * as frame from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import { hex, type Ledger } from './ledger.ts';
import { lockFree } from './locks.ts';

/** Every frame is in one bucket at most and is marked as cached; inodes count theirs. */
export function auditCache(ledger: Ledger): void {
  const buckets = ledger.at(layout.H_CACHE_MASK) + 1;
  const frames = ledger.at(layout.H_FRAMES);
  const perInode = new Map<number, number>();
  for (let i = 0; i < buckets; i++) {
    const bucket = ledger.at(layout.H_CACHE_BASE) + (i << layout.BUCKET_SHIFT);
    lockFree(ledger, bucket, `page-cache bucket ${i}`);
    for (let number = ledger.at(bucket + layout.BUCKET_HEAD); number !== 0;) {
      if (number >= frames || ledger.cached.has(number)) {
        ledger.find(
          'accounting',
          bucket,
          `page-cache bucket ${i}: frame ${number} does not exist or is in a bucket already`,
        );
        break;
      }
      ledger.cached.add(number);
      const folio = ledger.folio(number);
      const inode = ledger.at(folio + layout.F_OWNER);
      const pages = 2 ** (ledger.at(folio + layout.F_FLAGS) & frame.F_ORDER);
      perInode.set(inode, (perInode.get(inode) ?? 0) + pages);
      if ((ledger.at(folio + layout.F_FLAGS) & frame.F_CACHED) === 0)
        ledger.find(
          'accounting',
          folio,
          `page-cache bucket ${i}: frame ${number} is not marked as cached`,
        );
      number = ledger.at(folio + layout.F_NEXT);
    }
  }
  const inodes = ledger.at(layout.H_INODES);
  for (let i = 0; i < inodes; i++) {
    const inode = ledger.at(layout.H_INODE_BASE) + (i << layout.INODE_SHIFT);
    const counted = ledger.at(inode + layout.INODE_NR_CACHED);
    ledger.equal(
      inode + layout.INODE_NR_CACHED,
      `inode ${i}: cached pages`,
      counted,
      perInode.get(inode) ?? 0,
    );
    perInode.delete(inode);
  }
  for (const [inode, pages] of perInode)
    ledger.find(
      'accounting',
      inode,
      `${pages} pages are cached for ${hex(inode)}, which is no inode`,
    );
}

/** An inode has one reference for each VMA, and at most one of whoever made it. */
export function auditInodes(ledger: Ledger): void {
  const inodes = ledger.at(layout.H_INODES);
  for (let i = 0; i < inodes; i++) {
    const inode = ledger.at(layout.H_INODE_BASE) + (i << layout.INODE_SHIFT);
    const mapped = ledger.inodeRefs.get(inode) ?? 0;
    const refs = ledger.at(inode + layout.INODE_REF);
    const live = ledger.at(inode + layout.INODE_STATE) !== 0;
    if (live ? refs < mapped || refs > mapped + 1 || refs === 0 : mapped > 0)
      ledger.find('accounting', inode, `inode ${i}: ${refs} references, ${mapped} VMAs map it`);
  }
}
