/**
 * The portable subset's types as tsc sees them. AssemblyScript has its own; both agree as long as a value that is
 * compared, returned or shifted right has been made unsigned with `>>> 0` after `|`, `~`, `<<` or `-`.
 */
declare type u32 = number;
