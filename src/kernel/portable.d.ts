/**
 * The portable subset's types as tsc sees them. AssemblyScript has its own; both agree as long as a value that is
 * compared, returned or shifted right has been made unsigned with `>>> 0` after `|`, `~`, `<<` or `-`.
 *
 * What a number stands for is its type. All are u32 when the program runs: the foundry gives AssemblyScript
 * `type Mm = u32;`, and the declarations that users of the package get say `number`.
 *
 * Each is a weak brand: a value known to be of one kind is refused where another is wanted, so that an mm is never
 * taken for a pmd; a plain number is accepted for each of them. Plain are the results of arithmetic and of `load` from
 * a field, and what tests and scenarios write. A strict brand would have a cast at each of those, and a cast checks
 * nothing.
 */
declare type u32 = number;

/**
 * Address of an object: an address space, and so on. AnonVma and AnonVmaChain are Linux's anon_vma and
 * anon_vma_chain.
 */
declare type Mm = number & { readonly __of?: 'Mm' };
declare type Vma = number & { readonly __of?: 'Vma' };
declare type Inode = number & { readonly __of?: 'Inode' };
declare type AnonVma = number & { readonly __of?: 'AnonVma' };
declare type AnonVmaChain = number & { readonly __of?: 'AnonVmaChain' };
declare type Rwsem = number & { readonly __of?: 'Rwsem' };
declare type Gather = number & { readonly __of?: 'Gather' };

/**
 * Address of an entry of a table of that level; Upper: of any level whose entries can name tables; TableEntry: of
 * any.
 */
declare type Pgd = number & { readonly __of?: 'Pgd' };
declare type Pud = number & { readonly __of?: 'Pud' };
declare type Pmd = number & { readonly __of?: 'Pmd' };
declare type Pte = number & { readonly __of?: 'Pte' };
declare type Upper = number & { readonly __of?: 'Pgd' | 'Pud' | 'Pmd' };
declare type TableEntry = number & { readonly __of?: 'Pgd' | 'Pud' | 'Pmd' | 'Pte' };

/** The value of an entry of any level (entry.ts), not its address. */
declare type Entry = number & { readonly __of?: 'Entry' };

/** Page of an address space: a user's address, in pages. PageIndex: page of a file or of shared memory. */
declare type Vpn = number & { readonly __of?: 'Vpn' };
declare type PageIndex = number & { readonly __of?: 'PageIndex' };

/** Number of a frame. Head: of the first one of a folio. Folio: address of a frame's descriptor. */
declare type Frame = number & { readonly __of?: 'Frame' | 'Head' };
declare type Head = number & { readonly __of?: 'Head' };
declare type Folio = number & { readonly __of?: 'Folio' };

/** Number of a slot of the swap area. */
declare type SwapSlot = number & { readonly __of?: 'SwapSlot' };

/** Number of a page table. Ptdesc: address of its descriptor. */
declare type TableNumber = number & { readonly __of?: 'TableNumber' };
declare type Ptdesc = number & { readonly __of?: 'Ptdesc' };

/** Number of a CPU. CpuArea: address of its area. */
declare type Cpu = number & { readonly __of?: 'Cpu' };
declare type CpuArea = number & { readonly __of?: 'CpuArea' };

/**
 * Byte address of a word of the machine's memory, which no number of a page, frame, table or CPU is, and no entry's
 * value.
 */
declare type Address = number & {
  readonly __of?:
    | ('Mm' | 'Vma' | 'Inode' | 'AnonVma' | 'AnonVmaChain' | 'Rwsem' | 'Gather')
    | ('Pgd' | 'Pud' | 'Pmd' | 'Pte')
    | ('Folio' | 'Ptdesc' | 'CpuArea');
};

/** What stands at an address: an Entry where it is known to be that of a table's entry, else anything. */
declare type WordAt<A extends Address> = '__of' extends keyof A
  ? A extends TableEntry
    ? Entry
    : u32
  : u32;
