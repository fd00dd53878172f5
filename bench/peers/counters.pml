/*
 * Three processes, four atomic increments each, for Spin: the scenario `counters`.
 * COUNTERS 1: one counter; 2: two, in turn; 3: one for each process.
 */
#ifndef COUNTERS
#define COUNTERS 1
#endif

byte counter[3];
byte ended;

proctype Cpu(byte cpu)
{
	byte i = 0;

	do
	:: i < 4 ->
		atomic {
#if COUNTERS == 1
			counter[0]++;
#elif COUNTERS == 2
			counter[i & 1]++;
#else
			counter[cpu]++;
#endif
			i++
		}
	:: else -> break
	od;
	ended++
}

init {
	atomic { run Cpu(0); run Cpu(1); run Cpu(2) }
	ended == 3;
	assert(counter[0] + counter[1] + counter[2] == 12)
}
