# a shared page that one gave up is taken from it when nobody else has it any more, unless somebody wrote
mmap 3160640K 320K populate
touch 3160640K 320K w
fork
@1 madvise 3160640K 320K free
@1 madvise 3160640K 320K pageout
exit
@1 touch 3160640K 64K w
@1 madvise 3160640K 320K pageout
@1 touch 3160640K 320K w
@1 madvise 3160640K 320K free
@1 touch 3160640K 64K w
@1 madvise 3160640K 64K pageout
@1 fork
@2 madvise 3160640K 320K free
@1 exit
@2 madvise 3160640K 320K pageout
