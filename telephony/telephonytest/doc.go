// Package telephonytest is in charge of far ends that speak and listen: a SIP phone with its own minimal SIP, so that a
// fault of a shared library cannot hide on both sides, and a headless agent that behaves like a browser. Tests, the
// commands `hotline phone` and `hotline demo`, and the load generator use them; the server never does.
package telephonytest
