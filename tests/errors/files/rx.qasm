OPENQASM 3.0;
include "stdgates.inc";
input angle theta;
input angle phi;
qubit q;
rx(theta) q;
rz(phi) q;
