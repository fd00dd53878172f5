/**
 * The shared memory, parts that stand in several places: locks, heads of RCU callbacks. layout.ts says what the
 * comments mean.
 */

/** Words that different CPUs write stand on lines of their own. */
export const LINE_BYTES: u32 = 64;

/** A lock: 16 bytes, meaning per kind (lock.ts). */
export const LOCK_WORD: u32 = 0; // atomic: owner + 1 and waiter bit, or the kind's own state
export const LOCK_AUX: u32 = 4; // atomic: next ticket, or MCS tail
// the holder: owner + 1, for kinds whose LOCK_WORD does not say (lockOwner.ts; read by reports)
export const LOCK_OWNER: u32 = 8;
// the holder, when bounces are counted: area of the CPU that held it last, 0: none yet
export const LOCK_LAST: u32 = 12;
export const LOCK_BYTES: u32 = 16;

/** A reader-writer lock, RWSEM_BYTES (rwsem.ts). */
export const RWSEM_STATE: u32 = 0; // atomic: readers, writer, QUEUED
export const RWSEM_HEAD: u32 = 4; // RWSEM_QUEUE: area of the first CPU waiting, or 0
export const RWSEM_TAIL: u32 = 8; // RWSEM_QUEUE: area of the last
// when bounces are counted, plain and racy, a hint (lockStat.ts): area of the CPU that held it last
export const RWSEM_LAST: u32 = 12;
export const RWSEM_QUEUE: u32 = 16; // a lock: the queue
export const RWSEM_BYTES: u32 = 32;

/**
 * An RCU head: 12 bytes, inside the descriptor of what is freed; owned by callRcu's caller until it is queued, then by
 * rcu.ts.
 */
export const RCU_NEXT: u32 = 0; // link in a callback list
export const RCU_FUNC: u32 = 4; // RCU_ code of what to do (rcuCallbacks.ts)
export const RCU_STAMP: u32 = 8; // full checks: number after G_RCU_GP_SEQ when it was queued
export const RCU_HEAD_BYTES: u32 = 12;
