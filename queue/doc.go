// Package queue is in charge of who waits, who is free, and who gets whom.
package queue
