// Package ivr is in charge of the voice menu: it reads flow files, checks them, and carries a caller through one until
// there is work for another package or the call is over.
package ivr
