/*
 * Epoch-based reclamation for Spin: the scenario `epoch`, with READERS and UPDATERS processes. Waits are guards: a process whose
 * condition does not hold cannot move, as in ptlab. GRACE 0 leaves the waiting out.
 */
#ifndef READERS
#define READERS 2
#endif
#ifndef UPDATERS
#define UPDATERS 1
#endif
#ifndef GRACE
#define GRACE 1
#endif

#define DESTROYED 2

byte epoch = 1;
byte pointer = 0;
bit lock = 0;
byte reader[READERS];
byte data[UPDATERS + 1];

active [READERS] proctype Reader()
{
	byte seen, at, found;

	seen = epoch;
	reader[_pid] = seen;
	at = pointer;
	found = data[at];
	assert(found != DESTROYED);
	reader[_pid] = 0
}

active [UPDATERS] proctype Updater()
{
	byte old, own, r;

	atomic { lock == 0 -> lock = 1 };
	old = pointer;
	pointer = _pid - READERS + 1;
	lock = 0;
#if GRACE
	d_step { epoch = epoch + 1; own = epoch };
	r = 0;
	do
	:: r < READERS ->
		reader[r] == 0 || reader[r] >= own;
		r++
	:: else -> break
	od;
#endif
	data[old] = DESTROYED
}
