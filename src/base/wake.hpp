/// \file
/// Threads woken before there is work for them.
#pragma once

namespace skerry::base {

/// Has `threads` - 1 workers awake for the next 3 ms: a parallel_for that begins in them need not wait for a processor
/// that has gone to sleep, which took up to 5 ms on a virtual machine. Nothing for fewer than 2 threads and within a
/// parallel_for. Cost: some microseconds, and what the processors burn meanwhile.
void wake_threads(int threads);

}  // namespace skerry::base
