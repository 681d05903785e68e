;; Statistics of a block of float32 elements: extremes and sums in one pass, counts per bin in a second one while the
;; block is still in cache. Neighbours often fall into one bin, and a counter that was just written is slow to read
;; again: every lane counts into a table of its own, and `fold` adds the four up.
;;
;; Built by scripts/build-kernels.mjs into histogram-binary.ts.
(module
  (import "host" "memory" (memory 1))

  ;; Tables of 8192 counters at 0, 32768, 65536 and 98304.

  (func $low (param $lanes v128) (result f32)
    (f32.min
      (f32.min (f32x4.extract_lane 0 (local.get $lanes)) (f32x4.extract_lane 1 (local.get $lanes)))
      (f32.min (f32x4.extract_lane 2 (local.get $lanes)) (f32x4.extract_lane 3 (local.get $lanes)))))

  (func $high (param $lanes v128) (result f32)
    (f32.max
      (f32.max (f32x4.extract_lane 0 (local.get $lanes)) (f32x4.extract_lane 1 (local.get $lanes)))
      (f32.max (f32x4.extract_lane 2 (local.get $lanes)) (f32x4.extract_lane 3 (local.get $lanes)))))

  (func $four (param $lanes v128) (result i32)
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $lanes)) (i32x4.extract_lane 1 (local.get $lanes)))
      (i32.add (i32x4.extract_lane 2 (local.get $lanes)) (i32x4.extract_lane 3 (local.get $lanes)))))

  ;; Of n floats at p, written to out: smallest and largest (float32), sum and sum of squares (float64), number of zeros
  ;; and of elements that are not finite (int32). With any of the latter the other figures mean nothing.
  (func (export "scan") (param $p i32) (param $n i32) (param $out i32)
    (local $end i32) (local $last i32) (local $x v128) (local $d v128) (local $e v128)
    (local $min v128) (local $max v128) (local $zeros v128) (local $bad v128)
    (local $s0 v128) (local $s1 v128) (local $q0 v128) (local $q1 v128)
    (local $one f32) (local $sum f64) (local $squares f64) (local $zero i32) (local $wrong i32)
    (local.set $min (v128.const f32x4 inf inf inf inf))
    (local.set $max (v128.const f32x4 -inf -inf -inf -inf))
    (local.set $last (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
    (local.set $end (i32.add (local.get $p) (i32.shl (i32.and (local.get $n) (i32.const -4)) (i32.const 2))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $x (v128.load (local.get $p)))
        (local.set $min (f32x4.pmin (local.get $min) (local.get $x)))
        (local.set $max (f32x4.pmax (local.get $max) (local.get $x)))
        ;; x - x is 0 for every finite x and NaN for the others; a true lane is -1.
        (local.set $bad
          (i32x4.sub (local.get $bad)
            (f32x4.ne (f32x4.sub (local.get $x) (local.get $x)) (v128.const f32x4 0 0 0 0))))
        (local.set $zeros
          (i32x4.sub (local.get $zeros) (f32x4.eq (local.get $x) (v128.const f32x4 0 0 0 0))))
        (local.set $d (f64x2.promote_low_f32x4 (local.get $x)))
        (local.set $e
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x))))
        (local.set $s0 (f64x2.add (local.get $s0) (local.get $d)))
        (local.set $s1 (f64x2.add (local.get $s1) (local.get $e)))
        (local.set $q0 (f64x2.add (local.get $q0) (f64x2.mul (local.get $d) (local.get $d))))
        (local.set $q1 (f64x2.add (local.get $q1) (f64x2.mul (local.get $e) (local.get $e))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (br $vectors)))
    (local.set $s0 (f64x2.add (local.get $s0) (local.get $s1)))
    (local.set $q0 (f64x2.add (local.get $q0) (local.get $q1)))
    (local.set $sum (f64.add (f64x2.extract_lane 0 (local.get $s0)) (f64x2.extract_lane 1 (local.get $s0))))
    (local.set $squares (f64.add (f64x2.extract_lane 0 (local.get $q0)) (f64x2.extract_lane 1 (local.get $q0))))
    (local.set $zero (call $four (local.get $zeros)))
    (local.set $wrong (call $four (local.get $bad)))
    (block $complete
      (loop $rest
        (br_if $complete (i32.ge_u (local.get $p) (local.get $last)))
        (local.set $one (f32.load (local.get $p)))
        (local.set $min (f32x4.pmin (local.get $min) (f32x4.splat (local.get $one))))
        (local.set $max (f32x4.pmax (local.get $max) (f32x4.splat (local.get $one))))
        (local.set $wrong
          (i32.add (local.get $wrong) (f32.ne (f32.sub (local.get $one) (local.get $one)) (f32.const 0))))
        (local.set $zero (i32.add (local.get $zero) (f32.eq (local.get $one) (f32.const 0))))
        (local.set $sum (f64.add (local.get $sum) (f64.promote_f32 (local.get $one))))
        (local.set $squares
          (f64.add (local.get $squares) (f64.mul (f64.promote_f32 (local.get $one)) (f64.promote_f32 (local.get $one)))))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (br $rest)))
    (f32.store (local.get $out) (call $low (local.get $min)))
    (f32.store offset=4 (local.get $out) (call $high (local.get $max)))
    (f64.store offset=8 (local.get $out) (local.get $sum))
    (f64.store offset=16 (local.get $out) (local.get $squares))
    (i32.store offset=24 (local.get $out) (local.get $zero))
    (i32.store offset=28 (local.get $out) (local.get $wrong)))

  ;; Counts n finite floats at p: bin = floor(x * perWidth) - first, kept within 0 to last.
  (func (export "count") (param $p i32) (param $n i32) (param $perWidth f32) (param $first i32) (param $last i32)
    (local $end i32) (local $stop i32) (local $bin v128) (local $scale v128) (local $shift v128) (local $top v128)
    (local $at i32)
    (local.set $scale (f32x4.splat (local.get $perWidth)))
    (local.set $shift (i32x4.splat (local.get $first)))
    (local.set $top (i32x4.splat (local.get $last)))
    (local.set $stop (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
    (local.set $end (i32.add (local.get $p) (i32.shl (i32.and (local.get $n) (i32.const -4)) (i32.const 2))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $bin
          (i32x4.shl
            (i32x4.min_s
              (i32x4.max_s
                (i32x4.sub
                  (i32x4.trunc_sat_f32x4_s (f32x4.floor (f32x4.mul (v128.load (local.get $p)) (local.get $scale))))
                  (local.get $shift))
                (v128.const i32x4 0 0 0 0))
              (local.get $top))
            (i32.const 2)))
        (local.set $at (i32x4.extract_lane 0 (local.get $bin)))
        (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
        (local.set $at (i32x4.extract_lane 1 (local.get $bin)))
        (i32.store offset=32768 (local.get $at) (i32.add (i32.load offset=32768 (local.get $at)) (i32.const 1)))
        (local.set $at (i32x4.extract_lane 2 (local.get $bin)))
        (i32.store offset=65536 (local.get $at) (i32.add (i32.load offset=65536 (local.get $at)) (i32.const 1)))
        (local.set $at (i32x4.extract_lane 3 (local.get $bin)))
        (i32.store offset=98304 (local.get $at) (i32.add (i32.load offset=98304 (local.get $at)) (i32.const 1)))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (br $vectors)))
    (block $complete
      (loop $rest
        (br_if $complete (i32.ge_u (local.get $p) (local.get $stop)))
        (local.set $bin
          (i32x4.min_s
            (i32x4.max_s
              (i32x4.sub
                (i32x4.trunc_sat_f32x4_s
                  (f32x4.floor (f32x4.mul (f32x4.splat (f32.load (local.get $p))) (local.get $scale))))
                (local.get $shift))
              (v128.const i32x4 0 0 0 0))
            (local.get $top)))
        (local.set $at (i32.shl (i32x4.extract_lane 0 (local.get $bin)) (i32.const 2)))
        (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (br $rest))))

  ;; Adds the four tables over bins [from, to), which are rounded outwards to fours, to the float64 counts at target and
  ;; empties them.
  (func (export "fold") (param $from i32) (param $to i32) (param $target i32)
    (local $p i32) (local $end i32) (local $sum v128)
    (local.set $p (i32.shl (i32.and (local.get $from) (i32.const -4)) (i32.const 2)))
    (local.set $end (i32.shl (local.get $to) (i32.const 2)))
    (local.set $target (i32.add (local.get $target) (i32.shl (local.get $p) (i32.const 1))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $sum
          (i32x4.add
            (i32x4.add (v128.load (local.get $p)) (v128.load offset=32768 (local.get $p)))
            (i32x4.add (v128.load offset=65536 (local.get $p)) (v128.load offset=98304 (local.get $p)))))
        (v128.store (local.get $target)
          (f64x2.add (v128.load (local.get $target)) (f64x2.convert_low_i32x4_u (local.get $sum))))
        (v128.store offset=16 (local.get $target)
          (f64x2.add
            (v128.load offset=16 (local.get $target))
            (f64x2.convert_low_i32x4_u
              (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $sum) (local.get $sum)))))
        (v128.store (local.get $p) (v128.const i32x4 0 0 0 0))
        (v128.store offset=32768 (local.get $p) (v128.const i32x4 0 0 0 0))
        (v128.store offset=65536 (local.get $p) (v128.const i32x4 0 0 0 0))
        (v128.store offset=98304 (local.get $p) (v128.const i32x4 0 0 0 0))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $target (i32.add (local.get $target) (i32.const 32)))
        (br $vectors)))))
