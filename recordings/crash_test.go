package recordings_test

const childDir = "HOTLINE_TEST_RECORDINGS_CHILD"

func child() {}
