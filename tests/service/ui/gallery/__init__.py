"""A face that shows every part once, for the tests of the ground: what every page is made from."""
