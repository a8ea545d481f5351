// Grover's search over 3 qubits for the marked item 101; two rounds find it with probability 0.945.
OPENQASM 3.0;
include "stdgates.inc";

gate oracle a, b, c { x b; h c; ccx a, b, c; h c; x b; }
gate diffusion a, b, c {
  h a; h b; h c;
  x a; x b; x c;
  h c; ccx a, b, c; h c;
  x a; x b; x c;
  h a; h b; h c;
}

qubit[3] q;
bit[3] c;
h q;
for int round in [1:2] {
  oracle q[0], q[1], q[2];
  diffusion q[0], q[1], q[2];
}
c = measure q;
